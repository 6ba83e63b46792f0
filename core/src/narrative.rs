//! Words for a forecast, and for the trend of the recovery score.
//!
//! The same numbers always give the same words, in the person's units and rounded; what is unknown is left out. No model
//! is asked, so these words are there when the AI's explanation is late. The tone suggests and never orders.

use std::fmt;

use jiff::Span;
use jiff::civil::Date;

use crate::MetricType;
use crate::forecast::{EpochDay, Status, trend};
use crate::metric::Words;
use crate::regression::Line;
use crate::units::to_canonical;

/// Below this R² the points are scattered so widely that the date is a rough guide.
const SCATTERED: f64 = 0.3;
/// Numbers beyond this are no readings, and nobody would read them.
const LARGEST: f64 = 1e9;

/// What there is to tell. Numbers are in the metric's unit.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// What the goal is about.
    pub metric: MetricType,
    /// What the forecast came to.
    pub status: Status,
    /// The latest value.
    pub current: Option<f64>,
    /// The value to reach.
    pub target: Option<f64>,
    /// Change per day.
    pub slope_per_day: Option<f64>,
    /// When the target will be reached.
    pub projected: Option<EpochDay>,
    /// The earliest such day.
    pub low: Option<EpochDay>,
    /// The latest such day; missing when it lies beyond ten years.
    pub high: Option<EpochDay>,
    /// The day by which the goal is to be reached.
    pub deadline: Option<EpochDay>,
    /// R², 0 to 1.
    pub confidence: Option<f64>,
    /// Pounds and miles instead of kilograms and kilometres.
    pub imperial: bool,
}

/// A metric's words for one person: how many stored units make one of `unit`.
struct Speech {
    words: Words,
    unit: &'static str,
    divide: f64,
}

impl Speech {
    fn of(metric: MetricType, imperial: bool) -> Self {
        let words = metric.spec().words;
        let unit = if imperial { words.imperial } else { words.unit };
        // The table's test holds that `units` knows each of them.
        let divide = to_canonical(metric, 1.0, Some(unit), None).unwrap_or(1.0);
        Speech { words, unit, divide }
    }

    fn amount(&self, value: Option<f64>) -> Option<String> {
        Some(self.with_unit(&grouped(in_range(value)? / self.divide, self.words.decimals)))
    }

    /// Per week, without a sign, with at least one digit that is not zero.
    fn pace(&self, slope_per_day: Option<f64>) -> Option<String> {
        const MOST_DECIMALS: usize = 3;
        let weekly = in_range(slope_per_day)?.abs() * 7.0 / self.divide;
        let said = (self.words.decimals..=MOST_DECIMALS).map(|decimals| grouped(weekly, decimals));
        let said = said.into_iter().find(|said| said != "0").unwrap_or_else(|| "less than 0.001".to_owned());
        Some(format!("{}/week", self.with_unit(&said)))
    }

    fn with_unit(&self, number: &str) -> String {
        let space = if self.unit == "%" { "" } else { " " };
        format!("{number}{space}{}", self.unit)
    }
}

fn in_range(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() <= LARGEST)
}

/// `12,345.6`: a comma between thousands, no zeros at the end, no negative zero.
fn grouped(value: f64, decimals: usize) -> String {
    let rounded = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let fraction = fraction.trim_end_matches('0');
    let zero = whole == "0" && fraction.is_empty();
    let mut said = String::from(if value < 0.0 && !zero { "-" } else { "" });
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            said.push(',');
        }
        said.push(digit);
    }
    if !fraction.is_empty() {
        said.push('.');
        said.push_str(fraction);
    }
    said
}

/// `May 15, 2026`.
struct Spoken(Date);

impl Spoken {
    fn day(day: Option<EpochDay>) -> Option<Self> {
        let epoch = Date::constant(1970, 1, 1);
        epoch.checked_add(Span::new().try_days(day?).ok()?).ok().map(Spoken)
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%B %-d, %Y").fmt(f)
    }
}

/// The story in words.
///
/// ```
/// use welltrack_core::MetricType;
/// use welltrack_core::forecast::Status;
/// use welltrack_core::narrative::{Story, narrative};
///
/// let story = Story {
///     metric: MetricType::Weight,
///     status: Status::OnTrack,
///     current: Some(77.0),
///     target: Some(75.0),
///     slope_per_day: Some(-0.0286),
///     projected: Some(20_588),
///     low: None,
///     high: None,
///     deadline: None,
///     confidence: Some(0.8),
///     imperial: false,
/// };
/// assert_eq!(
///     narrative(&story),
///     "Based on your current progress (0.2 kg/week average), you're on track to reach your 75 kg target by May 15, 2026."
/// );
/// ```
#[must_use]
pub fn narrative(story: &Story) -> String {
    let speech = Speech::of(story.metric, story.imperial);
    let name = speech.words.in_sentence;
    let target = speech
        .amount(story.target)
        .map_or("your target".to_owned(), |target| format!("your {target} target"));
    let average = |before: &str| {
        speech.pace(story.slope_per_day).map_or(String::new(), |pace| format!("{before}({pace} average)"))
    };
    let mut said = match story.status {
        Status::OnTrack => {
            let by = Spoken::day(story.projected).map_or(String::new(), |day| format!(" by {day}"));
            let within = Spoken::day(story.deadline)
                .map_or(String::new(), |day| format!(" That is within your deadline of {day}."));
            format!(
                "Based on your current progress{}, you're on track to reach {target}{by}.{within}",
                average(" ")
            )
        }
        Status::Late => {
            let by = Spoken::day(story.projected).map_or(String::new(), |day| format!(" by {day}"));
            let deadline = Spoken::day(story.deadline).map_or(String::new(), |day| format!(" of {day}"));
            format!(
                "Based on your current progress{}, you would reach {target}{by}, after your deadline{deadline}. A slightly \
                 bigger change each week, or a later deadline, may suit you better.",
                average(" ")
            )
        }
        Status::Reached => {
            let latest = speech
                .amount(story.current)
                .map_or(String::new(), |now| format!(" (your latest value is {now})"));
            format!(
                "You've reached {target}{latest}. If you like, this could be a good time to choose a new goal."
            )
        }
        Status::NotConverging => format!(
            "Your {name} {} shown a clear trend towards {target} over the last 30 days. It may help to look at what has \
             changed lately, or to adjust the target.",
            if speech.words.plural { "haven't" } else { "hasn't" }
        ),
        Status::BeyondHorizon => format!(
            "At your current pace{}, {target} is more than ten years away. A slightly bigger change each week, or a \
             nearer target, may suit you better.",
            average(" ")
        ),
        Status::TooFewPoints => format!(
            "There aren't enough readings of your {name} in the last 30 days to forecast {target} yet. A few more days of \
             readings will help."
        ),
        Status::Calibrating => format!(
            "Your baseline is still being learned. A forecast for {target} will follow once 14 days of data are in."
        ),
    };
    if matches!(story.status, Status::OnTrack | Status::Late) {
        said += &spread(story);
        if story.confidence.is_some_and(|confidence| confidence < SCATTERED) {
            said += " Your readings vary a lot, so you may want to take the date as a rough guide.";
        }
    }
    said
}

/// What the ups and downs of single readings do to the date.
fn spread(story: &Story) -> String {
    let (low, high) = (Spoken::day(story.low), Spoken::day(story.high));
    match (low, high) {
        (Some(low), Some(high)) if low.0 < high.0 => {
            format!(" Allowing for day-to-day ups and downs, it could be anywhere from {low} to {high}.")
        }
        (Some(low), None) => {
            format!(" Allowing for day-to-day ups and downs, it could be as early as {low}, or much later.")
        }
        _ => String::new(),
    }
}

/// Where the line through somebody's recovery scores is heading, as far as it differs from no trend at the 5% level. `None` with
/// fewer than three scores.
#[must_use]
pub fn recovery_narrative(scores: &Line) -> Option<&'static str> {
    let (slope, error, t) = trend(scores)?;
    Some(if slope > t * error {
        "Your recovery score is trending upward, which suggests good adaptation to your training load."
    } else if -slope > t * error {
        "Your recovery score is trending downward; some lighter days or more sleep may help."
    } else {
        "Your recovery score is holding steady."
    })
}
