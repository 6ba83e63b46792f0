//! What an activity becomes.

use super::*;
use crate::MetricType as M;
use proptest::prelude::*;
use serde_json::json;

fn run() -> Value {
    json!({
        "id": 12_345_678_987_654_321_u64, "name": "Morning run", "type": "Run", "sport_type": "TrailRun",
        "distance": 10_012.5, "moving_time": 3000, "elapsed_time": 3600, "total_elevation_gain": 120.0,
        "start_date": "2026-03-01T06:00:00Z", "start_date_local": "2026-03-01T07:00:00Z",
        "average_heartrate": 151.2, "max_heartrate": 178, "calories": 640.0, "private": false,
        "visibility": "everyone", "gear_id": null, "unknown": [1, {"x": null}],
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut json = run();
    json[key] = value;
    json
}

fn read(json: &Value) -> Activity {
    Activity::read(json).expect("an activity")
}

#[test]
fn an_activity_is_a_workout_and_the_readings_it_holds() {
    let activity = read(&run());
    assert_eq!(
        serde_json::to_value(&activity.workout).expect("JSON"),
        json!({
            "source_record_id": "12345678987654321", "workout_type": "TrailRun", "name": "Morning run",
            "start_time": "2026-03-01T06:00:00Z", "duration_minutes": 50.0, "distance_m": 10_012.5,
            "elevation_gain_m": 120.0, "calories_kcal": 640.0, "average_hr_bpm": 151.2, "max_hr_bpm": 178.0,
            "is_private": false,
        })
    );
    let row = |metric: &str, value: f64, unit: &str| {
        json!({"metric_type": metric, "value_num": value, "value_text": null, "unit": unit,
               "start_time": "2026-03-01T06:00:00Z", "end_time": "2026-03-01T07:00:00Z",
               "source_record_id": "12345678987654321", "final": 1})
    };
    assert_eq!(
        serde_json::to_value(&activity.readings).expect("JSON"),
        json!([row("calories", 640.0, "kcal"), row("distance", 10_012.5, "m")])
    );
}

#[test]
fn a_heart_rate_under_effort_never_becomes_a_resting_one_nor_minutes_a_second_load() {
    let metrics: Vec<_> = read(&with("vo2max", json!(48.5))).readings.iter().map(|r| r.metric).collect();
    assert_eq!(metrics, [M::Vo2max, M::Calories, M::Distance]);
}

#[test]
fn what_was_not_measured_makes_no_row() {
    let activity = read(&json!({"id": 1, "start_date": "2026-03-01T06:00:00Z", "elapsed_time": 60}));
    assert_eq!(activity.readings, []);
    let workout = activity.workout;
    assert_eq!(
        (workout.workout_type.as_str(), workout.name, workout.duration_minutes),
        ("Workout", None, 1.0)
    );
    assert_eq!((workout.distance_m, workout.average_hr_bpm), (None, None));
}

#[test]
fn what_only_its_owner_may_see_is_private_by_either_name() {
    assert!(!read(&run()).workout.is_private);
    assert!(read(&with("private", json!(true))).workout.is_private);
    assert!(read(&with("visibility", json!("only_me"))).workout.is_private);
}

#[test]
fn an_activity_without_id_start_or_duration_is_refused_with_the_fields_name() {
    for (key, value, code) in [
        ("id", json!("12"), Code::MissingField),
        ("start_date", json!(null), Code::MissingField),
        ("start_date", json!("2026-03-01 06:00"), Code::InvalidTime),
        ("start_date", json!("1960-01-01T00:00:00Z"), Code::TimeOutOfRange),
        ("moving_time", json!(-1), Code::InvalidPeriod),
        ("elapsed_time", json!(172_801), Code::InvalidPeriod),
    ] {
        let reason = Activity::read(&with(key, value)).expect_err(key);
        assert_eq!(reason.code, code);
        assert!(reason.to_string().contains(key), "{reason}");
    }
}

#[test]
fn texts_are_cut_and_cleaned() {
    let name = format!("  a\u{0}b\n{}", "ü".repeat(300));
    let name = read(&with("name", json!(name))).workout.name.expect("a name");
    assert!(name.starts_with("abü") && name.chars().count() == 200, "{name}");
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0.0..200_000.0_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([[], {"x": {}}])),
    ]
}

proptest! {
    #[test]
    fn whatever_the_fields_hold_a_workout_fits_its_table(
        changes in proptest::collection::vec((0..13_usize, value()), 0..8)
    ) {
        const KEYS: [&str; 13] = [
            "id", "name", "type", "sport_type", "distance", "moving_time", "elapsed_time", "total_elevation_gain",
            "start_date", "average_heartrate", "max_heartrate", "calories", "private",
        ];
        let mut json = run();
        for (key, value) in changes {
            json[KEYS[key]] = value;
        }
        let Ok(Activity { workout: w, readings }) = Activity::read(&json) else { return Ok(()) };
        prop_assert!((0.0..=2880.0).contains(&w.duration_minutes));
        prop_assert!((1..=80).contains(&w.workout_type.chars().count()));
        for (value, range) in [
            (w.distance_m, 0.0..=2e6), (w.elevation_gain_m, 0.0..=3e4), (w.calories_kcal, 0.0..=3e4),
            (w.average_hr_bpm, 20.0..=250.0), (w.max_hr_bpm, 20.0..=250.0),
        ] {
            prop_assert!(value.is_none_or(|value| range.contains(&value)));
        }
        for row in readings {
            prop_assert!(row.value.is_some_and(f64::is_finite) && row.end_time >= Some(row.start_time));
        }
    }

    #[test]
    fn any_json_is_read_or_refused(json in value()) {
        let _ = Activity::read(&json);
    }
}
