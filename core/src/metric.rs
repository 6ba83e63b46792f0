//! Metrics and sources, and what differs between them.
//!
//! Every fact that differs between metrics is a column of [`METRICS`]. A new metric is one entry of that table, one label
//! of the database's enum and one column of `wt_daily_values`.

mod table;

use std::fmt;
use std::str::FromStr;

use crate::reason::Quoted;
pub use crate::units::Unit;
pub use table::{DIASTOLIC_RANGE, METRICS, MetricType};

/// Where a reading comes from: `wt_health_metrics.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A Garmin device, pushed by the Garmin Health API.
    Garmin,
    /// An activity recorded with Strava.
    Strava,
    /// Apple's HealthKit, read by the app.
    Healthkit,
    /// Android's Health Connect, read by the app.
    HealthConnect,
    /// Typed by the person.
    Manual,
}

/// How the readings of one local day become that day's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Parts of a whole: naps and the night, steps by the hour.
    Sum,
    /// Samples of one quantity: two weighings are not twice the weight.
    Mean,
}

/// Which end of a reading's period decides the local day it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The day on which the period began.
    Start,
    /// The day on which it ended: a night belongs to the morning on which one wakes.
    End,
}

/// What a provider's name for a metric says beyond the metric itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// Nothing more.
    Whole,
    /// Half of a blood pressure.
    Systolic,
    /// The other half of a blood pressure.
    Diastolic,
    /// Heart rate variability as root mean square of successive differences.
    Rmssd,
    /// Heart rate variability as standard deviation of the intervals between beats.
    Sdnn,
    /// A category whose own value is a code, not a duration: only its stages say how long somebody slept.
    StagesOnly,
}

/// Where a Garmin summary holds the value of a metric.
///
/// Sleep and stress are read by code of their own ([`crate::providers::garmin`]): they are no plain fields.
#[derive(Clone, Copy, Debug)]
pub enum GarminField {
    /// Summary type, fields whose sum is the value (one that is missing adds nothing), and their unit.
    Sum(&'static str, &'static [&'static str], &'static str),
    /// Summary type, and a field with samples by second (`{"0": 14.6, "60": 14.4}`), in the metric's unit: their mean is
    /// the value. Samples outside the plausible range are codes or noise and don't count.
    Mean(&'static str, &'static str),
}

impl GarminField {
    /// The type of the summary, such as `dailies`.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        let (GarminField::Sum(summary, ..) | GarminField::Mean(summary, _)) = self;
        summary
    }
}

/// How people speak of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Its name in a heading: `steps`.
    pub name: &'static str,
    /// Its name in a sentence about a goal: "Your daily steps haven't shown a clear trend".
    pub in_sentence: &'static str,
    /// Whether that name is a plural.
    pub plural: bool,
    /// The unit that people read; one that [`crate::units`] knows.
    pub unit: &'static str,
    /// The same for people who chose imperial units.
    pub imperial: &'static str,
    /// Digits after the point.
    pub decimals: usize,
}

/// One entry of [`METRICS`].
#[derive(Debug)]
pub struct MetricSpec {
    /// Which metric the entry is about.
    pub metric: MetricType,
    /// The enum label in the database, the column of `wt_daily_values`, and the name that the app's own records use.
    pub label: &'static str,
    /// The unit of every stored value.
    pub unit: Unit,
    /// The least and the greatest plausible value, in that unit, both included.
    pub range: (f64, f64),
    /// How a local day adds up.
    pub aggregate: Aggregate,
    /// Which local day a reading belongs to.
    pub anchor: Anchor,
    /// How people speak of it.
    pub words: Words,
    /// What HealthKit and Health Connect call it. Left out on purpose: names that mean something else than the
    /// metric (`HeartRate` is a spot sample where `hr` is the resting rate; active energy is one part of `calories`).
    pub phones: &'static [(&'static str, Facet)],
    /// Where Garmin's summaries hold it; `None` where no plain field does.
    pub garmin: Option<GarminField>,
    /// The spellings of the field of a Strava activity that holds it; the first one that is there counts.
    pub strava: &'static [&'static str],
    /// A regular expression of the keys under which a log's context may hold a value of it: `log_error` drops those.
    pub log_keys: &'static str,
}

impl MetricSpec {
    /// Whether the day's value grows until the day is over, as steps do. A night is known as a whole in the morning.
    #[must_use]
    pub const fn grows_during_day(&self) -> bool {
        matches!((self.aggregate, self.anchor), (Aggregate::Sum, Anchor::Start))
    }
}

impl MetricType {
    /// Everything known about the metric.
    #[must_use]
    pub const fn spec(self) -> &'static MetricSpec {
        const TABLE: &[MetricSpec] = &METRICS;
        &TABLE[self as usize]
    }

    /// The enum label, such as `blood_pressure`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.spec().label
    }

    /// The metric of a label; `None` for anything else.
    #[must_use]
    pub fn from_label(label: &str) -> Option<MetricType> {
        METRICS.iter().find(|spec| spec.label == label).map(|spec| spec.metric)
    }

    /// The instant, in whatever form instants have there, whose local day the reading counts for; the start where a
    /// period has no end.
    #[must_use]
    pub fn day_anchor<T>(self, start: Option<T>, end: Option<T>) -> Option<T> {
        match self.spec().anchor {
            Anchor::Start => start,
            Anchor::End => end.or(start),
        }
    }

    /// The metric behind a label or behind a phone's own identifier, and what that identifier adds.
    #[must_use]
    pub fn from_provider_name(name: &str) -> Option<(MetricType, Facet)> {
        if let Some(metric) = Self::from_label(name) {
            return Some((metric, Facet::Whole));
        }
        METRICS.iter().find_map(|spec| {
            spec.phones.iter().find(|(alias, _)| *alias == name).map(|(_, facet)| (spec.metric, *facet))
        })
    }
}

impl Source {
    /// Every source, in the order of the database's enum.
    pub const ALL: [Source; 5] =
        [Source::Garmin, Source::Strava, Source::Healthkit, Source::HealthConnect, Source::Manual];

    /// The enum label, such as `health_connect`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Source::Garmin => "garmin",
            Source::Strava => "strava",
            Source::Healthkit => "healthkit",
            Source::HealthConnect => "health_connect",
            Source::Manual => "manual",
        }
    }

    /// Which source speaks for a day when several measured it: the lowest number, no two alike.
    ///
    /// A worn device that measures all day comes first, then what a phone aggregates (and may have guessed from a
    /// pocket), then single activities, which see a part of the day only, then what somebody typed, which no sensor
    /// vouches for. A typed value speaks wherever nothing measured. HealthKit and Health Connect never share a phone;
    /// their order only makes the answer definite for somebody who changed phones.
    #[must_use]
    pub const fn priority(self) -> u8 {
        match self {
            Source::Garmin => 1,
            Source::Healthkit => 2,
            Source::HealthConnect => 3,
            Source::Strava => 4,
            Source::Manual => 5,
        }
    }
}

impl Aggregate {
    /// `sum` or `mean`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Aggregate::Sum => "sum",
            Aggregate::Mean => "mean",
        }
    }
}

impl Anchor {
    /// `start` or `end`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::End => "end",
        }
    }
}

/// A label that is in no table; the text is safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLabel(String);

impl UnknownLabel {
    pub(crate) fn new(text: String) -> Self {
        UnknownLabel(text)
    }
}

impl fmt::Display for UnknownLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownLabel {}

impl FromStr for MetricType {
    type Err = UnknownLabel;

    fn from_str(label: &str) -> Result<Self, UnknownLabel> {
        Self::from_label(label).ok_or_else(|| UnknownLabel(format!("{} is not a metric", Quoted(label))))
    }
}

impl FromStr for Source {
    type Err = UnknownLabel;

    fn from_str(label: &str) -> Result<Self, UnknownLabel> {
        Source::ALL
            .into_iter()
            .find(|source| source.label() == label)
            .ok_or_else(|| UnknownLabel(format!("{} is not a source", Quoted(label))))
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::to_canonical;
    use std::collections::HashSet;

    #[test]
    fn every_entry_of_the_table_is_complete_and_consistent() {
        for spec in &METRICS {
            let label = spec.label;
            assert_eq!(spec.metric.spec().label, label);
            assert_eq!(label.parse(), Ok(spec.metric));
            assert!(label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{label}");
            assert!(spec.range.0 < spec.range.1, "{label}");
            assert!(!spec.log_keys.is_empty(), "{label}: an empty pattern matches every key");
            for unit in [spec.words.unit, spec.words.imperial] {
                let known = to_canonical(spec.metric, 1.0, Some(unit), None);
                assert!(known.is_ok(), "{label}: `units` has to know {unit}, which people read");
            }
            if let Some(GarminField::Sum(_, fields, unit)) = spec.garmin {
                assert!(
                    !fields.is_empty() && to_canonical(spec.metric, 1.0, Some(unit), None).is_ok(),
                    "{label}"
                );
            }
        }
    }

    #[test]
    fn steps_calories_distance_and_active_minutes_grow_during_the_day() {
        let growing: Vec<_> =
            METRICS.iter().filter(|spec| spec.grows_during_day()).map(|spec| spec.label).collect();
        assert_eq!(growing, ["steps", "calories", "distance", "active_minutes"]);
    }

    #[test]
    fn no_name_means_two_metrics() {
        let mut seen = HashSet::new();
        for spec in &METRICS {
            assert!(seen.insert(spec.label), "{}", spec.label);
            for (alias, facet) in spec.phones {
                assert!(seen.insert(alias), "{alias}");
                assert_eq!(MetricType::from_provider_name(alias), Some((spec.metric, *facet)));
            }
        }
    }

    #[test]
    fn priorities_put_worn_devices_first_and_typed_values_last() {
        let mut sources = Source::ALL;
        sources.sort_by_key(|source| source.priority());
        use Source::{Garmin, HealthConnect, Healthkit, Manual, Strava};
        assert_eq!(sources, [Garmin, Healthkit, HealthConnect, Strava, Manual]);
        assert_eq!(sources.iter().map(|source| source.priority()).collect::<HashSet<_>>().len(), 5);
    }

    #[test]
    fn a_night_belongs_to_the_day_of_waking_and_everything_else_to_its_start() {
        for spec in &METRICS {
            let expected = if spec.metric == MetricType::Sleep { 2 } else { 1 };
            assert_eq!(spec.metric.day_anchor(Some(1), Some(2)), Some(expected), "{}", spec.label);
            assert_eq!(spec.metric.day_anchor(Some(1), None), Some(1), "{}", spec.label);
        }
    }

    #[test]
    fn unknown_labels_are_named_without_repeating_hostile_text() {
        let error = "x\u{0}\u{202e}".repeat(1000).parse::<MetricType>().unwrap_err().to_string();
        assert!(error.len() < 500, "{error}");
        assert!(!error.contains('\u{0}') && !error.contains('\u{202e}'));
    }
}
