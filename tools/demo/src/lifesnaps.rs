//! LifeSnaps: real days of real people, if somebody has put the data set there.
//!
//! Promises: everybody, and three people with at least sixty days and the fewest gaps, the same three for the same file;
//! every value as it was measured, odd ones included. Stops at the columns that have a metric.
//!
//! Source: Yfantidou et al., "LifeSnaps, a 4-month multi-modal dataset capturing unobtrusive snapshots of our
//! lives in the wild", Scientific Data 9, 663 (2022), CC BY 4.0; one row for each person and day.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use jiff::civil::Date;
use serde::Deserialize;
use welltrack_core::MetricType;

use super::history::{DAYS, History, Reading};

/// A row of `daily.csv`; an empty cell was not measured.
#[derive(Debug, Default, Deserialize)]
struct Row {
    participant: String,
    date: String,
    resting_hr_bpm: Option<f64>,
    minutes_asleep: Option<f64>,
    minutes_awake: Option<f64>,
    stress_management_score: Option<f64>,
    hrv_rmssd_ms: Option<f64>,
    spo2_pct: Option<f64>,
    vo2max_ml_kg_min: Option<f64>,
    steps: Option<f64>,
    distance_m: Option<f64>,
    calories_kcal: Option<f64>,
    moderately_active_minutes: Option<f64>,
    very_active_minutes: Option<f64>,
}

impl Row {
    fn readings(&self, date: Date) -> impl Iterator<Item = Reading> {
        use MetricType as M;
        let awake = self.minutes_awake.unwrap_or(0.0);
        // The score runs from 1 to 100, calm is high; 0 stands for a day without one.
        let stress = self.stress_management_score.filter(|&score| score > 0.0).map(|score| 100.0 - score);
        let active = match (self.moderately_active_minutes, self.very_active_minutes) {
            (None, None) => None,
            (moderate, very) => Some(moderate.unwrap_or(0.0) + very.unwrap_or(0.0)),
        };
        [
            (M::Sleep, self.minutes_asleep),
            (M::Stress, stress),
            (M::Vo2max, self.vo2max_ml_kg_min),
            (M::Steps, self.steps),
            (M::Hr, self.resting_hr_bpm),
            (M::Hrv, self.hrv_rmssd_ms),
            (M::Calories, self.calories_kcal),
            (M::Distance, self.distance_m),
            (M::ActiveMinutes, active),
            (M::Spo2, self.spo2_pct),
        ]
        .into_iter()
        .filter_map(move |(metric, value)| {
            let awake = if metric == M::Sleep { awake } else { 0.0 };
            Some(Reading { awake, ..Reading::new(date, metric, value?) })
        })
    }
}

/// Reads `daily.csv`; answers the three of the demo and all days of everybody.
///
/// # Errors
///
/// A file that can't be read or parsed, or fewer than three people with [`DAYS`] days.
pub(super) fn read(file: &Path) -> Result<([History; 3], Vec<History>)> {
    let reader =
        csv::Reader::from_path(file).with_context(|| format!("could not open {}", file.display()))?;
    let people = people(reader).with_context(|| format!("could not read {}", file.display()))?;
    let everybody = people.iter().filter_map(|(origin, days)| whole(origin, days)).collect();
    let chosen = choose(people).ok_or_else(|| {
        anyhow!("{} has fewer than three people with {DAYS} days of readings", file.display())
    })?;
    Ok((chosen, everybody))
}

/// All of a person's days; `None` for who has none.
fn whole(origin: &str, days: &BTreeMap<Date, Vec<Reading>>) -> Option<History> {
    let ((&first_day, _), (&last_day, _)) = (days.first_key_value()?, days.last_key_value()?);
    Some(History {
        origin: origin.to_owned(),
        first_day,
        last_day,
        readings: days.values().flatten().cloned().collect(),
    })
}

type People = BTreeMap<String, BTreeMap<Date, Vec<Reading>>>;

fn people(mut reader: csv::Reader<impl std::io::Read>) -> Result<People> {
    let mut people = People::new();
    for row in reader.deserialize() {
        let row: Row = row?;
        let date = row.date.parse().with_context(|| format!("`{}` is not a date", row.date))?;
        let readings = row.readings(date).collect();
        people.entry(row.participant).or_default().insert(date, readings);
    }
    Ok(people)
}

/// The three people with the fullest sixty days, fullest first; the data set's own order settles ties.
fn choose(people: People) -> Option<[History; 3]> {
    let mut histories: Vec<History> =
        people.into_iter().filter_map(|(origin, days)| fullest(origin, &days)).collect();
    histories.sort_by_key(|history| Reverse(history.readings.len()));
    histories.truncate(3);
    histories.try_into().ok()
}

/// The [`DAYS`] days of a person that hold the most readings, the earliest such; `None` for who has not that
/// many days.
fn fullest(origin: String, days: &BTreeMap<Date, Vec<Reading>>) -> Option<History> {
    let (&end, _) = days.last_key_value()?;
    let mut best: Option<(usize, Date, Date)> = None;
    for &first_day in days.keys() {
        let Ok(last_day) = first_day.checked_add(jiff::Span::new().days(DAYS - 1)) else { continue };
        if last_day > end {
            break;
        }
        let count = days.range(first_day..=last_day).map(|(_, readings)| readings.len()).sum();
        if best.is_none_or(|(most, _, _)| count > most) {
            best = Some((count, first_day, last_day));
        }
    }
    let (_, first_day, last_day) = best?;
    let readings = days.range(first_day..=last_day).flat_map(|(_, readings)| readings.clone()).collect();
    Some(History { origin, first_day, last_day, readings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use std::fmt::Write as _;

    const HEAD: &str = "participant,date,resting_hr_bpm,minutes_asleep,minutes_awake,sleep_efficiency_pct,\
        stress_management_score,hrv_rmssd_ms,spo2_pct,breathing_rate,vo2max_ml_kg_min,steps,distance_m,\
        calories_kcal,moderately_active_minutes,very_active_minutes\n";

    fn parse(rows: &str) -> Result<People> {
        people(csv::Reader::from_reader(format!("{HEAD}{rows}").as_bytes()))
    }

    /// Somebody whose watch counted steps on each of so many days, from 1 January 2021 on.
    fn walker(name: &str, days: i16) -> String {
        let mut rows = String::new();
        let mut day = date(2021, 1, 1);
        for _ in 0..days {
            writeln!(rows, "{name},{day},,,,,,,,,,1000,,,,").expect("text");
            day = day.tomorrow().expect("a day in 2021");
        }
        rows
    }

    #[test]
    fn a_full_row_becomes_a_reading_for_each_metric() {
        let people = parse("p1,2021-06-05,61.5,420,50,94,80,45.5,96.2,14.1,44.4,9000,6100.5,2400.2,20,11\n");
        let day = date(2021, 6, 5);
        let found = &people.expect("whole")["p1"][&day];
        let values: Vec<(&str, f64)> = found.iter().map(|r| (r.metric.label(), r.value)).collect();
        assert_eq!(
            values,
            [
                ("sleep", 420.0),
                ("stress", 20.0),
                ("vo2max", 44.4),
                ("steps", 9000.0),
                ("hr", 61.5),
                ("hrv", 45.5),
                ("calories", 2400.2),
                ("distance", 6100.5),
                ("active_minutes", 31.0),
                ("spo2", 96.2),
            ]
        );
        assert!(found.iter().all(|r| r.awake == if r.metric == MetricType::Sleep { 50.0 } else { 0.0 }));
    }

    #[test]
    fn an_empty_cell_and_a_stress_score_of_zero_become_nothing() {
        let people = parse("p1,2021-06-05,,,,,0,,,,,,,,,\np1,2021-06-06,,,,,,,,,,,,,7,\n").expect("whole");
        assert!(people["p1"][&date(2021, 6, 5)].is_empty());
        let alone = &people["p1"][&date(2021, 6, 6)];
        assert_eq!(*alone, [Reading::new(date(2021, 6, 6), MetricType::ActiveMinutes, 7.0)]);
    }

    #[test]
    fn odd_cells_are_an_error_that_names_them() {
        let error = parse("p1,the day after,,,,,,,,,,,,,,\n").expect_err("not a date");
        assert!(format!("{error:#}").contains("the day after"));
        assert!(parse("p1,2021-06-05,fast,,,,,,,,,,,,,\n").is_err());
    }

    #[test]
    fn the_fullest_three_are_chosen_and_short_histories_are_not() {
        let rows: String =
            [("p1", 59), ("p2", 60), ("p3", 200), ("p4", 61)].map(|(name, days)| walker(name, days)).concat();
        let chosen = choose(parse(&rows).expect("whole")).expect("three people");
        assert_eq!(chosen.each_ref().map(|history| history.origin.as_str()), ["p2", "p3", "p4"]);
        for history in &chosen {
            assert_eq!((history.first_day, history.last_day), (date(2021, 1, 1), date(2021, 3, 1)));
            assert_eq!(history.readings.len(), 60);
        }
        assert!(choose(parse(&walker("p1", 100)).expect("whole")).is_none());
    }

    #[test]
    fn a_window_with_more_readings_wins_over_an_earlier_one() {
        let mut rows = walker("p1", 100);
        rows = rows.replace("p1,2021-01-01,,,,,,,,,,1000", "p1,2021-01-01,,,,,,,,,,");
        let people = parse(&rows).expect("whole");
        let history = fullest("p1".into(), &people["p1"]).expect("long enough");
        assert_eq!(history.first_day, date(2021, 1, 2));
    }

    /// Reads the real file where it lies; says so where it doesn't.
    #[test]
    fn the_chosen_people_of_the_real_file_stay_the_same() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/lifesnaps/daily.csv");
        if !file.is_file() {
            eprintln!("skipped: there is no {}", file.display());
            return;
        }
        let (chosen, everybody) = read(&file).expect("the file is whole");
        let days =
            |history: &History| history.first_day.until(history.last_day).expect("days").get_days() + 1;
        assert_eq!((everybody.len(), everybody.iter().map(days).sum::<i32>()), (55, 6_236));
        let found = chosen.each_ref().map(|history| {
            (history.origin.as_str(), history.first_day, history.last_day, history.readings.len())
        });
        assert_eq!(found.map(|(origin, ..)| origin), ["p50", "p23", "p35"], "{found:?}");
        for (origin, first, last, count) in found {
            assert_eq!(first.until(last).expect("days").get_days(), DAYS - 1, "{origin}");
            assert!(count > 9 * DAYS as usize, "{origin} has gaps: {count} readings");
        }
    }
}
