//! What must be in the tables after what was acknowledged: an independent account of Garmin's rule of replacement.
//!
//! Promises: rows computed from what was *put into* the summaries, never from their JSON, so that no parser checks
//! itself. Stops at what the database adds: ids, days, verdicts, primacy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::garmin::Summary;
use super::strava::Activity;

/// A row of `wt_health_metrics`, as far as a provider decides it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `garmin` or `strava`.
    pub source: &'static str,
    /// The provider's id of the person.
    pub user: String,
    /// The label of `wt_metric_type`.
    pub metric: String,
    /// In the metric's canonical unit.
    pub value: Option<f64>,
    /// Epoch seconds.
    pub start: i64,
    /// Epoch seconds.
    pub end: Option<i64>,
    /// `source_record_id`.
    pub record: String,
}

/// A row of `wt_workouts`, as far as Strava decides it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workout {
    /// Strava's id of the person.
    pub user: String,
    /// The activity's id.
    pub record: String,
    /// The activity's name.
    pub name: String,
    /// Epoch seconds.
    pub start: i64,
    /// Metres.
    pub distance: Option<f64>,
    /// Whether only its owner sees it at Strava.
    pub is_private: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, user, metric, value, start, end, record } = self;
        write!(f, "{source} {user} {metric} {start}..{end:?} = {value:?} ({record})")
    }
}

/// Which of two readings of the same thing stands: the settled one, then the longer one, then the later one.
type Version = (bool, i64, usize);

/// The rows that follow from acknowledged pushes.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// By person, metric and start.
    rows: BTreeMap<(String, &'static str, i64), (Version, Row)>,
    /// Pushes that were told before: type, person and items.
    told: BTreeSet<String>,
    pushes: usize,
}

impl Model {
    /// Takes an acknowledged push, in the order in which a person's pushes were acknowledged. One that says the same
    /// as an earlier one changes nothing.
    pub fn acknowledge<'a>(&mut self, push: impl IntoIterator<Item = &'a Summary>) {
        let mut events: BTreeMap<(&str, &str), Vec<&Summary>> = BTreeMap::new();
        for summary in push {
            events.entry((summary.kind, &summary.user)).or_default().push(summary);
        }
        for ((kind, user), summaries) in events {
            let items: Vec<_> = summaries.iter().map(|summary| &summary.json).collect();
            if !self.told.insert(format!("{kind} {user} {}", serde_json::json!(items))) {
                continue;
            }
            self.pushes += 1;
            for summary in summaries {
                self.take(summary);
            }
        }
    }

    fn take(&mut self, summary: &Summary) {
        for reading in &summary.readings {
            let length = reading.end.map_or(0, |end| end - reading.start);
            let version = (!summary.is_tentative, length, self.pushes);
            let row = Row {
                source: "garmin",
                user: summary.user.clone(),
                metric: reading.metric.to_owned(),
                value: reading.value,
                start: reading.start,
                end: reading.end,
                record: summary.id.clone(),
            };
            let key = (summary.user.clone(), reading.metric, reading.start);
            let standing = self.rows.get(&key).map(|(version, _)| *version);
            if standing.is_none_or(|standing| version > standing) {
                self.rows.insert(key, (version, row));
            }
        }
    }

    /// Distinct events: one for each type and person of each push, repetitions left out.
    #[must_use]
    pub fn events(&self) -> usize {
        self.told.len()
    }

    /// The rows, by person, metric and start.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.rows.values().map(|(_, row)| row.clone()).collect()
    }
}

/// What an activity that Strava still has becomes.
#[must_use]
pub fn workout(activity: &Activity) -> Workout {
    Workout {
        user: activity.athlete.to_string(),
        record: activity.id.to_string(),
        name: activity.name.clone(),
        start: activity.start,
        distance: activity.distance,
        is_private: activity.is_private,
    }
}

/// The readings that such an activity holds. Its heart rates are those of an exercise and belong to the workout alone.
#[must_use]
pub fn readings(activity: &Activity) -> Vec<Row> {
    let end = activity.start + i64::from(activity.elapsed.max(activity.moving));
    [("distance", activity.distance), ("calories", activity.calories)]
        .into_iter()
        .filter_map(|(metric, value)| {
            Some(Row {
                source: "strava",
                user: activity.athlete.to_string(),
                metric: metric.to_owned(),
                value: Some(value?),
                start: activity.start,
                end: Some(end),
                record: activity.id.to_string(),
            })
        })
        .collect()
}

/// Where two lists of rows part, in words; empty where they don't. Values may differ in their last digits.
#[must_use]
pub fn differences(expected: &[Row], found: &[Row]) -> Vec<String> {
    let keyed = |rows: &[Row]| {
        let mut keyed: BTreeMap<(String, String, String, i64), Vec<Row>> = BTreeMap::new();
        for row in rows {
            let key = (row.source.to_owned(), row.user.clone(), row.metric.clone(), row.start);
            keyed.entry(key).or_default().push(row.clone());
        }
        keyed
    };
    let (expected, mut found) = (keyed(expected), keyed(found));
    let mut differences = Vec::new();
    for (key, rows) in expected {
        let others = found.remove(&key).unwrap_or_default();
        if !(rows.len() == others.len() && rows.iter().zip(&others).all(|(a, b)| same(a, b))) {
            differences.push(format!("expected {}, found {}", list(&rows), list(&others)));
        }
    }
    differences.extend(found.into_values().map(|rows| format!("expected nothing, found {}", list(&rows))));
    differences
}

fn same(a: &Row, b: &Row) -> bool {
    let close = match (a.value, b.value) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a == b,
    };
    close && (&a.end, &a.record) == (&b.end, &b.record)
}

fn list(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "nothing".into();
    }
    rows.iter().map(Row::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::super::days::{Day, Night};
    use super::super::garmin::{Edition, daily, of_day, sleep};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn a_day() -> Day {
        Day {
            steps: Some(9000),
            night: Some(Night { asleep: 420, awake: 30 }),
            ..Day::empty(date(2025, 3, 30), 0)
        }
    }

    proptest! {
        /// The database processes in whatever order its workers come to it.
        #[test]
        fn the_order_of_editions_does_not_matter(
            order in Just((0..7usize).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let all = of_day("g1", &a_day());
            prop_assert_eq!(all.len(), 7);
            let told = |order: &[usize]| {
                let mut model = Model::default();
                for &index in order {
                    model.acknowledge([&all[index]]);
                }
                model.rows()
            };
            prop_assert_eq!(told(&order), told(&[0, 1, 2, 3, 4, 5, 6]));
        }
    }

    #[test]
    fn a_repeated_push_changes_nothing_and_a_late_tentative_one_neither() {
        let of = |edition| sleep("g1", &a_day(), edition, 0).expect("a night");
        let mut model = Model::default();
        model.acknowledge([&of(Edition::Final)]);
        let rows = model.rows();
        model.acknowledge([&of(Edition::Tentative)]);
        model.acknowledge([&of(Edition::Final)]);
        assert_eq!((model.rows(), model.events()), (rows, 2));
    }

    #[test]
    fn differences_name_what_is_missing_doubled_or_changed() {
        let mut model = Model::default();
        model.acknowledge([&daily("g1", &a_day(), Edition::Final, 0).expect("a day")]);
        let rows = model.rows();
        assert!(differences(&rows, &rows).is_empty());
        assert_eq!(differences(&rows, &[]).len(), 1);
        assert_eq!(differences(&rows, &[rows.clone(), rows.clone()].concat()).len(), 1);
        let mut changed = rows.clone();
        changed[0].value = Some(1.0);
        assert_eq!(differences(&rows, &changed).len(), 1);
        assert_eq!(differences(&[], &rows).len(), 1);
    }
}
