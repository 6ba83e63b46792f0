//! The app's native plugin: a person's readings as the batch that their phone sends.
//!
//! Promises: names, units and shapes of Health Connect or HealthKit (miles and fractions from an iPhone, a
//! night as its stages), times with the offset of the person's zone on that day, the same id for the same
//! record in every sync. Stops at making JSON: what the database makes of it is the database's business.

use anyhow::{Context, Result};
use jiff::civil::Date;
use jiff::{SignedDuration, Zoned};
use serde_json::{Value, json};
use welltrack_core::{MetricType as M, Source};

use super::history::{History, Reading};
use super::people::Person;

/// The version that the app gives itself.
pub(super) const VERSION: &str = "2.4.0";
/// When everybody wakes, and what is measured once a day is measured; the readings don't say.
const WAKING: i8 = 7;

/// What a metric is called on a phone, in which unit it comes, and how many of that unit one canonical unit
/// is.
struct Wording(&'static str, &'static str, f64);

const METRES_A_MILE: f64 = 1_609.344;
const KILOGRAMS_A_POUND: f64 = 0.453_592_37;

/// Where a store has no such type, the app computes the value and uses its own name: stress everywhere, all
/// calories and RMSSD on an iPhone.
fn wording(phone: Source, metric: M) -> Wording {
    let canonical = metric.spec().unit.symbol();
    let (name, unit, factor) = match (phone, metric) {
        (Source::Healthkit, M::Sleep) => ("HKCategoryTypeIdentifierSleepAnalysis", canonical, 1.0),
        (Source::Healthkit, M::Vo2max) => ("HKQuantityTypeIdentifierVO2Max", "mL/min·kg", 1.0),
        (Source::Healthkit, M::Steps) => ("HKQuantityTypeIdentifierStepCount", canonical, 1.0),
        (Source::Healthkit, M::Hr) => ("HKQuantityTypeIdentifierRestingHeartRate", "count/min", 1.0),
        (Source::Healthkit, M::Hrv) => ("hrv_rmssd", canonical, 1.0),
        (Source::Healthkit, M::Distance) => {
            ("HKQuantityTypeIdentifierDistanceWalkingRunning", "mi", 1.0 / METRES_A_MILE)
        }
        (Source::Healthkit, M::ActiveMinutes) => {
            ("HKQuantityTypeIdentifierAppleExerciseTime", canonical, 1.0)
        }
        (Source::Healthkit, M::Weight) => ("HKQuantityTypeIdentifierBodyMass", "lb", 1.0 / KILOGRAMS_A_POUND),
        (Source::Healthkit, M::Spo2) => ("HKQuantityTypeIdentifierOxygenSaturation", "%", 0.01),
        (Source::HealthConnect, M::Sleep) => ("SleepSessionRecord", canonical, 1.0),
        (Source::HealthConnect, M::Vo2max) => ("Vo2MaxRecord", canonical, 1.0),
        (Source::HealthConnect, M::Steps) => ("StepsRecord", canonical, 1.0),
        (Source::HealthConnect, M::Hr) => ("RestingHeartRateRecord", canonical, 1.0),
        (Source::HealthConnect, M::Hrv) => ("HeartRateVariabilityRmssdRecord", canonical, 1.0),
        (Source::HealthConnect, M::Calories) => ("TotalCaloriesBurnedRecord", canonical, 1.0),
        (Source::HealthConnect, M::Distance) => ("DistanceRecord", canonical, 1.0),
        (Source::HealthConnect, M::Weight) => ("WeightRecord", canonical, 1.0),
        (Source::HealthConnect, M::Spo2) => ("OxygenSaturationRecord", canonical, 1.0),
        (_, metric) => (metric.label(), canonical, 1.0),
    };
    Wording(name, unit, factor)
}

/// A batch of records, as `ingest_health_metrics` takes it.
pub(super) fn batch(person: &Person, records: &[Value]) -> Value {
    json!({"source": person.phone.label(), "ingestion_version": VERSION, "records": records})
}

/// The record of a reading.
///
/// # Errors
///
/// A day or a night beyond the calendar.
pub(super) fn record(person: &Person, history: &History, reading: &Reading) -> Result<Value> {
    let Wording(name, unit, factor) = wording(person.phone, reading.metric);
    let (start, end) = period(person, reading)?;
    let mut record = json!({
        "id": format!("{}-{}-{}", history.origin.replace(' ', "-"), reading.date, reading.metric),
        "type": name,
        "start_time": stamp(&start),
        "end_time": stamp(&end),
        "zone_offset": start.offset().to_string(),
    });
    if reading.metric == M::Sleep {
        let waking = start.checked_add(minutes(reading.value)?)?;
        record["stages"] = json!([
            {"stage": "asleep", "start_time": stamp(&start), "end_time": stamp(&waking)},
            {"stage": "awake", "start_time": stamp(&waking), "end_time": stamp(&end)},
        ]);
    } else {
        record["value"] = json!(reading.value * factor);
        record["unit"] = json!(unit);
    }
    Ok(record)
}

/// What the phone knew of a reading before its day was over: of what adds up over a day, three quarters.
pub(super) fn so_far(reading: &Reading) -> Reading {
    let share = if reading.metric.spec().grows_during_day() { 0.75 } else { 1.0 };
    Reading {
        value: if share < 1.0 { (reading.value * share).floor() } else { reading.value },
        ..reading.clone()
    }
}

/// Midnight, or another full hour, of a local day.
pub(super) fn hour(person: &Person, date: Date, hour: i8) -> Result<Zoned> {
    date.at(hour, 0, 0, 0).to_zoned(person.zone.clone()).context("a day beyond the calendar")
}

/// The time with the offset that was in force then, as phones write it.
pub(super) fn stamp(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// When it was measured: the night before waking, the whole local day, or the morning.
fn period(person: &Person, reading: &Reading) -> Result<(Zoned, Zoned)> {
    let morning = hour(person, reading.date, WAKING)?;
    Ok(match reading.metric {
        M::Sleep => (morning.checked_sub(minutes(reading.value + reading.awake)?)?, morning),
        metric if metric == M::Stress || metric.spec().grows_during_day() => {
            (hour(person, reading.date, 0)?, hour(person, reading.date.tomorrow()?, 0)?)
        }
        _ => (morning.clone(), morning),
    })
}

fn minutes(count: f64) -> Result<SignedDuration> {
    SignedDuration::try_from_secs_f64(count * 60.0)
        .with_context(|| format!("{count} minutes is no length of time"))
}

#[cfg(test)]
mod tests {
    use super::super::people::PEOPLE;
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use welltrack_core::metric::METRICS;
    use welltrack_core::providers::app_batch::{RecordOutcome, parse};

    /// What a phone sends as one number; a blood pressure is two.
    fn sent() -> Vec<M> {
        METRICS.iter().map(|spec| spec.metric).filter(|metric| *metric != M::BloodPressure).collect()
    }

    fn history(readings: Vec<Reading>) -> History {
        let day = jiff::civil::date(2025, 3, 1);
        History { origin: "some one".into(), first_day: day, last_day: day, readings }
    }

    prop_compose! {
        fn a_reading()(
            metric in prop::sample::select(sent()), share in 0.0..1.0_f64, awake in 0.0..120.0_f64,
            day in 0..3000
        ) -> Reading {
            let (least, greatest) = metric.spec().range;
            let date = jiff::civil::date(2020, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let value = least + share * (greatest - least);
            // A phone's times are whole seconds.
            if metric == M::Sleep {
                Reading { awake: awake.round(), ..Reading::new(date, metric, value.round()) }
            } else {
                Reading::new(date, metric, value)
            }
        }
    }

    proptest! {
        /// The rules that the database runs, run here: nothing is lost on the way through a phone's names,
        /// units and zones.
        #[test]
        fn a_reading_comes_out_of_every_phone_with_its_value_and_its_day(
            reading in a_reading(), who in 0..3usize
        ) {
            let person = &PEOPLE[who];
            let record = record(person, &history(vec![]), &reading).unwrap();
            let sent = batch(person, &[record]).to_string();
            let batch = parse(&sent).unwrap();
            let RecordOutcome::Row(row) = &batch.outcomes[0] else { panic!("{:?}", batch.outcomes) };
            prop_assert_eq!(row.metric, reading.metric);
            let error = (row.value_num - reading.value).abs();
            prop_assert!(error <= 1e-9 * reading.value.abs(), "{} {:?}", row.value_num, reading);
            let anchor = row.metric.day_anchor(Some(row.start_time), Some(row.end_time)).unwrap();
            let day = Timestamp::from_microsecond(anchor).unwrap().to_zoned(person.zone.clone()).date();
            prop_assert_eq!(day, reading.date);
        }

        #[test]
        fn a_day_that_is_not_over_has_less_of_what_adds_up_and_the_same_id(reading in a_reading()) {
            let early = so_far(&reading);
            prop_assert!(early.value <= reading.value);
            let of = |reading| record(&PEOPLE[0], &history(vec![]), reading).unwrap();
            prop_assert_eq!(&of(&early)["id"], &of(&reading)["id"]);
            prop_assert_eq!(&of(&early)["start_time"], &of(&reading)["start_time"]);
        }
    }

    #[test]
    fn a_day_of_summer_time_begins_and_ends_with_different_offsets() {
        let reading = Reading::new(jiff::civil::date(2025, 3, 30), M::Steps, 9000.0);
        let record = record(&PEOPLE[0], &history(vec![]), &reading).expect("a day");
        assert_eq!(record["start_time"], "2025-03-30T00:00:00+02:00");
        assert_eq!(record["end_time"], "2025-03-31T00:00:00+03:00");
    }

    #[test]
    fn an_iphone_sends_miles_and_fractions() {
        let day = jiff::civil::date(2025, 5, 1);
        let of = |metric, value| {
            record(&PEOPLE[1], &history(vec![]), &Reading::new(day, metric, value)).expect("a day")
        };
        assert_eq!(of(M::Distance, METRES_A_MILE)["value"], 1.0);
        assert_eq!(of(M::Distance, METRES_A_MILE)["unit"], "mi");
        assert_eq!(of(M::Spo2, 96.0)["value"], 0.96);
    }

    #[test]
    fn an_absurd_night_is_an_error_and_no_panic() {
        for asleep in [f64::NAN, f64::INFINITY, -1e300, 1e12] {
            let reading = Reading::new(jiff::civil::date(2025, 5, 1), M::Sleep, asleep);
            assert!(record(&PEOPLE[0], &history(vec![]), &reading).is_err(), "{asleep}");
        }
    }
}
