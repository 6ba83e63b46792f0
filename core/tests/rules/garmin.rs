//! What Garmin's summaries come to, by example: each of the traps that its data holds.

use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use welltrack_core::MetricType as M;
use welltrack_core::providers::garmin::{Change, Parsed, is_read, parse};
use welltrack_core::providers::reading::{Finality, Reading};

/// 2025-03-30T00:00:00Z.
const DAY: i64 = 1_743_292_800;

fn told(event_type: &str, summary: Value) -> Parsed {
    parse(event_type, &json!({ event_type: [summary] }), &TimeZone::UTC)
}

/// The one reading of a summary.
fn reading(event_type: &str, summary: Value) -> Reading {
    let parsed = told(event_type, summary);
    assert_eq!((parsed.readings.len(), parsed.problems.len()), (1, 0), "{parsed:?}");
    parsed.readings.into_iter().next().expect("one")
}

fn values(parsed: &Parsed) -> Vec<(M, Option<f64>)> {
    parsed.readings.iter().map(|reading| (reading.metric, reading.value)).collect()
}

fn seconds(reading: &Reading) -> (i64, Option<i64>) {
    (reading.start_time / 1_000_000, reading.end_time.map(|end| end / 1_000_000))
}

fn night(more: Value) -> Value {
    let mut night = json!({
        "summaryId": "s1", "startTimeInSeconds": DAY, "startTimeOffsetInSeconds": 7200, "durationInSeconds": 25_200,
        "awakeDurationInSeconds": 600, "unmeasurableSleepInSeconds": 300, "validation": "ENHANCED_FINAL",
    });
    night.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    night
}

#[test]
fn a_night_is_the_time_asleep_and_ends_after_the_gaps() {
    let night = reading("sleeps", night(json!({})));
    assert_eq!((night.metric, night.value), (M::Sleep, Some(420.0)));
    assert_eq!(seconds(&night), (DAY, Some(DAY + 25_200 + 600 + 300)));
    assert_eq!((night.source_record_id.as_deref(), night.finality), (Some("s1"), Finality::Final));
}

#[test]
fn both_spellings_of_unmeasurable_time_are_one_time() {
    let other = json!({"unmeasurableSleepInSeconds": null, "unmeasurableSleepDurationInSeconds": 300});
    assert_eq!(seconds(&reading("sleeps", night(other))).1, Some(DAY + 26_100));
    let both = json!({"unmeasurableSleepDurationInSeconds": 300});
    assert_eq!(seconds(&reading("sleeps", night(both))).1, Some(DAY + 26_100));
}

#[test]
fn the_stages_say_when_a_night_ended() {
    let stage = |from: i64, to: i64| json!([{"startTimeInSeconds": from, "endTimeInSeconds": to}]);
    let map = json!({"sleepLevelsMap": {
        "deep": stage(DAY, DAY + 100), "awake": stage(DAY + 26_900, DAY + 27_000), "rem": [], "light": null,
        "odd": [7, {"endTimeInSeconds": "x"}],
    }});
    assert_eq!(seconds(&reading("sleeps", night(map))).1, Some(DAY + 27_000));
}

#[test]
fn stages_that_cannot_hold_the_night_or_lie_days_away_are_not_believed() {
    for end in [DAY + 100, DAY - 100, DAY + 20 * 86_400] {
        let map = json!({"sleepLevelsMap": {"deep": [{"startTimeInSeconds": DAY, "endTimeInSeconds": end}]}});
        assert_eq!(seconds(&reading("sleeps", night(map))).1, Some(DAY + 26_100), "{end}");
    }
}

#[test]
fn a_night_without_a_duration_is_the_sum_of_its_stages() {
    let parts = json!({"durationInSeconds": null, "deepSleepDurationInSeconds": 3600,
                       "lightSleepDurationInSeconds": 7200, "remSleepInSeconds": 1800});
    assert_eq!(reading("sleeps", night(parts)).value, Some(210.0));
    assert_eq!(told("sleeps", night(json!({"durationInSeconds": null}))).problems.len(), 1);
}

#[test]
fn validation_says_how_sure_a_night_is() {
    for (validation, finality) in [
        (json!("AUTO_TENTATIVE"), Finality::Tentative),
        (json!("ENHANCED_TENTATIVE"), Finality::Tentative),
        (json!("AUTO_FINAL"), Finality::Final),
        (json!("DEVICE"), Finality::Final),
        (json!(null), Finality::Final),
        (json!("MANUAL"), Finality::Corrected),
        (json!("AUTO_MANUAL"), Finality::Corrected),
    ] {
        let night = reading("sleeps", night(json!({ "validation": validation })));
        assert_eq!(night.finality, finality, "{validation}");
    }
}

#[test]
fn stress_is_the_mean_of_levels_and_codes_are_none() {
    let stress = |levels: Value, average: Value| {
        json!({"summaryId": "t1", "startTimeInSeconds": DAY, "durationInSeconds": 86_400,
               "timeOffsetStressLevelValues": levels, "averageStressLevel": average,
               "timeOffsetBodyBatteryValues": {"0": 55}})
    };
    let of = |levels, average| {
        let reading = reading("stressDetails", stress(levels, average));
        (reading.value, reading.value_text.as_deref() == Some("unavailable"))
    };
    assert_eq!(
        of(json!({"0": 20, "180": -1, "360": 41, "540": -2, "720": 0}), json!(99)),
        (Some(61.0 / 3.0), false)
    );
    assert_eq!(of(json!({"0": -1, "180": -5}), json!(33)), (Some(33.0), false));
    assert_eq!(of(json!({"0": -1, "180": -5}), json!(-1)), (None, true));
    assert_eq!(of(json!({}), json!(-1)), (None, true));
    assert_eq!(of(json!(null), json!(12)), (Some(12.0), false));
    let spelt = json!({"startTimeInSeconds": DAY, "averageStresslevel": 14});
    assert_eq!(reading("stressDetails", spelt).value, Some(14.0));
    assert_eq!(told("stressDetails", stress(json!({}), json!(null))).problems.len(), 1);
}

#[test]
fn respiration_is_the_mean_of_plausible_samples() {
    let of = |samples: Value| {
        let summary = json!({"summaryId": "r1", "startTimeInSeconds": DAY, "durationInSeconds": 900,
                             "timeOffsetEpochToBreaths": samples});
        let reading = reading("allDayRespiration", summary);
        assert_eq!((reading.metric, seconds(&reading)), (M::RespiratoryRate, (DAY, Some(DAY + 900))));
        reading.value
    };
    assert_eq!(of(json!({"0": 14.5, "60": 15.5, "120": -1, "180": 0})), Some(15.0));
    assert_eq!(of(json!({"0": -2})), None);
}

#[test]
fn a_day_has_its_sums_and_the_resting_heart_rate() {
    let day = told(
        "dailies",
        json!({
            "summaryId": "d1", "startTimeInSeconds": DAY, "durationInSeconds": 43_200, "steps": 4321,
            "distanceInMeters": 3210.5, "activeKilocalories": 201, "bmrKilocalories": 900,
            "moderateIntensityDurationInSeconds": 1_500, "vigorousIntensityDurationInSeconds": 90,
            "averageHeartRateInBeatsPerMinute": 75, "restingHeartRateInBeatsPerMinute": 58,
            "averageStressLevel": -1, "maxStressLevel": 80, "timeOffsetHeartRateSamples": {"15": 70}, "new": {"key": []},
        }),
    );
    assert_eq!(
        values(&day),
        [
            (M::Steps, Some(4321.0)),
            (M::Hr, Some(58.0)),
            (M::Calories, Some(1101.0)),
            (M::Distance, Some(3210.5)),
            (M::ActiveMinutes, Some(26.5)),
        ]
    );
    assert!(day.readings.iter().all(|reading| seconds(reading) == (DAY, Some(DAY + 43_200))), "{day:?}");
    assert!(day.problems.is_empty(), "{day:?}");
}

#[test]
fn what_was_not_measured_is_no_row_and_what_the_watch_could_not_measure_is_one_without_a_value() {
    let day = told(
        "dailies",
        json!({"startTimeInSeconds": DAY, "steps": null, "distanceInMeters": -1, "activeKilocalories": 100,
               "bmrKilocalories": -1, "restingHeartRateInBeatsPerMinute": -1}),
    );
    assert_eq!(values(&day), [(M::Hr, None), (M::Calories, Some(100.0)), (M::Distance, None)]);
    for reading in day.readings.iter().filter(|reading| reading.value.is_none()) {
        assert_eq!(reading.value_text.as_deref(), Some("unavailable"));
    }
}

#[test]
fn an_odd_field_costs_its_own_reading_and_no_other() {
    let day = told("dailies", json!({"startTimeInSeconds": DAY, "steps": "many", "distanceInMeters": 5}));
    assert_eq!(values(&day), [(M::Distance, Some(5.0))]);
    assert_eq!(day.problems[0].to_string(), "wrong_type: steps must be a number");
    assert_eq!(seconds(&day.readings[0]), (DAY, None));
}

#[test]
fn a_date_without_a_time_is_the_persons_own_day() {
    let summary = json!({"userMetrics": [{"summaryId": "m1", "calendarDate": "2025-03-30", "vo2Max": 44.5, "fitnessAge": 35}]});
    let in_zone = |hours| {
        let zone = TimeZone::fixed(Offset::constant(hours));
        parse("userMetrics", &summary, &zone).readings.first().map(seconds)
    };
    assert_eq!(in_zone(0), Some((DAY, None)));
    assert_eq!(in_zone(13), Some((DAY - 13 * 3600, None)));
    assert_eq!(in_zone(-8), Some((DAY + 8 * 3600, None)));
    assert_eq!(
        reading("userMetrics", json!({"calendarDate": "2025-03-30", "vo2Max": 44.5})).value,
        Some(44.5)
    );
    for date in
        [json!("2025-02-30"), json!("1969-12-01"), json!("9999-12-31"), json!(20_250_330), json!(null)]
    {
        assert_eq!(
            told("userMetrics", json!({"calendarDate": date, "vo2Max": 44})).problems.len(),
            1,
            "{date}"
        );
    }
}

#[test]
fn a_summary_without_a_believable_start_yields_a_reason() {
    for start in
        [json!(null), json!("1743292800"), json!(-5), json!(1e300), json!(4_133_980_800_i64), json!([DAY])]
    {
        let parsed = told("dailies", json!({"startTimeInSeconds": start, "steps": 1}));
        assert_eq!((parsed.readings.len(), parsed.problems.len()), (0, 1), "{start}");
    }
}

#[test]
fn a_name_that_cannot_be_stored_is_none() {
    for id in [json!(""), json!("x".repeat(256)), json!("a\u{0}b"), json!({}), json!(null)] {
        let summary = json!({"summaryId": id, "startTimeInSeconds": DAY, "steps": 1});
        assert_eq!(reading("dailies", summary).source_record_id, None);
    }
    let summary = json!({"summaryId": 17, "startTimeInSeconds": DAY, "steps": 1});
    assert_eq!(reading("dailies", summary).source_record_id.as_deref(), Some("17"));
}

#[test]
fn consent_taken_back_or_changed_is_told() {
    assert_eq!(told("deregistrations", json!({"userId": "g1"})).change, Some(Change::Disconnected));
    let permissions =
        json!({"userId": "g1", "permissions": ["HEALTH_EXPORT", 7], "changeTimeInSeconds": DAY});
    let changed = told("userPermissionsChange", permissions);
    assert_eq!(changed.change, Some(Change::Permissions(vec!["HEALTH_EXPORT".to_owned()])));
    assert_eq!(told("userPermissionsChange", json!({"userId": "g1"})).problems.len(), 1);
}

#[test]
fn a_ping_is_an_address_and_no_reading() {
    let ping = told("dailies", json!({"userId": "g1", "callbackURL": "https://apis.garmin.com/x"}));
    assert_eq!(
        (ping.callbacks.as_slice(), ping.problems.len()),
        (&["https://apis.garmin.com/x".to_owned()][..], 0)
    );
    assert!(ping.readings.is_empty());
    let fetched = parse("dailies", &json!([{"startTimeInSeconds": DAY, "steps": 1}]), &TimeZone::UTC);
    assert_eq!(values(&fetched), [(M::Steps, Some(1.0))]);
}

#[test]
fn unknown_types_yield_nothing_and_a_reason() {
    let unknown = told("moods\u{202e}", json!({"startTimeInSeconds": DAY, "steps": 1}));
    assert!(unknown.readings.is_empty() && is_read("moods").is_err() && is_read("dailies").is_ok());
    assert_eq!(
        unknown.problems[0].to_string(),
        r#"unknown_type: no readings are taken from "moods\u{202e}""#
    );
}

#[test]
fn known_types_with_nothing_in_them_say_so() {
    for payload in
        [json!(null), json!({}), json!([]), json!({"dailies": []}), json!({"dailies": 7}), json!([{}, 7])]
    {
        let parsed = parse("dailies", &payload, &TimeZone::UTC);
        assert!(parsed.readings.is_empty() && !parsed.problems.is_empty(), "{payload}");
    }
}

#[test]
fn a_push_of_broken_summaries_tells_ten_reasons_and_not_a_million() {
    let broken: Vec<Value> = (0..1_000).map(|number| json!({"steps": number})).collect();
    assert_eq!(parse("dailies", &json!({ "dailies": broken }), &TimeZone::UTC).problems.len(), 10);
}
