//! The app's batch, record by record: what each becomes and why.

use serde_json::{Value, json};
use welltrack_core::providers::app_batch::{Batch, BatchError, MAX_RECORDS, RecordOutcome, Row, parse};
use welltrack_core::{Code, MetricType, Source};

/// 2026-03-01T00:00:00Z.
const MIDNIGHT: i64 = 1_772_323_200_000_000;
const MINUTE: i64 = 60_000_000;

fn outcomes(source: &str, records: Value) -> Vec<RecordOutcome<'static>> {
    let payload = json!({"source": source, "ingestion_version": "1.2", "records": records}).to_string();
    parse(payload.leak()).expect("a batch").outcomes
}

/// A record that is fine, with some fields replaced; `null` stands for leaving one out.
fn record(changes: Value) -> Value {
    let mut record = json!({
        "type": "steps", "value": 100, "unit": "count",
        "start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-01T01:00:00Z",
    });
    for (key, value) in changes.as_object().expect("an object") {
        record[key] = value.clone();
    }
    record
}

fn one(changes: Value) -> RecordOutcome<'static> {
    outcomes("healthkit", json!([record(changes)])).pop().expect("one record")
}

fn row(changes: Value) -> Row<'static> {
    match one(changes) {
        RecordOutcome::Row(row) => row,
        other => panic!("not a row: {other:?}"),
    }
}

fn code(changes: Value) -> Code {
    match one(changes.clone()) {
        RecordOutcome::Rejected(reason) => reason.code,
        other => panic!("{changes} is not rejected: {other:?}"),
    }
}

#[test]
fn a_plain_record_becomes_a_row_in_canonical_units() {
    let row =
        row(json!({"type": "distance", "value": 2, "unit": "mi", "id": "A-1", "device": {"name": "Watch"}}));
    assert_eq!(
        row,
        Row {
            source: Source::Healthkit,
            metric: MetricType::Distance,
            value_num: 3_218.688,
            value_text: None,
            start_time: MIDNIGHT,
            end_time: MIDNIGHT + 60 * MINUTE,
            recorded_at: None,
            source_record_id: Some("A-1".into()),
        }
    );
}

#[test]
fn a_batch_may_be_a_bare_array_and_a_records_own_source_wins() {
    let own = record(json!({"source": "manual"}));
    let bare = json!([own, record(json!({}))]).to_string();
    let outcomes_of = |payload: &str| {
        let batch = parse(payload).expect("a batch");
        batch
            .outcomes
            .iter()
            .map(|outcome| match outcome {
                RecordOutcome::Row(row) => row.source.label(),
                RecordOutcome::Rejected(reason) => reason.code.as_str(),
                RecordOutcome::Merged { .. } => "merged",
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes_of(&bare), ["manual", "missing_field"]);
    let mixed = json!({"source": "healthkit", "records": [own, record(json!({}))]}).to_string();
    assert_eq!(outcomes_of(&mixed), ["manual", "healthkit"]);
}

#[test]
fn phones_own_identifiers_are_understood() {
    assert_eq!(row(json!({"type": "HKQuantityTypeIdentifierStepCount"})).metric, MetricType::Steps);
    assert_eq!(row(json!({"type": "StepsRecord"})).metric, MetricType::Steps);
    let spo2 = row(json!({"type": "HKQuantityTypeIdentifierOxygenSaturation", "value": 0.97, "unit": "%"}));
    assert_eq!(spo2.value_num, 97.0);
}

#[test]
fn times_take_their_offset_from_themselves_or_from_zone_offset() {
    let start = |changes| row(changes).start_time;
    assert_eq!(start(json!({"start_time": "2026-03-01T02:00:00+02:00"})), MIDNIGHT);
    assert_eq!(start(json!({"start_time": "2026-03-01T02:00:00", "zone_offset": "+02:00"})), MIDNIGHT);
    assert_eq!(start(json!({"start_time": "2026-03-01T02:00:00", "zone_offset": "+0200"})), MIDNIGHT);
    assert_eq!(start(json!({"start_time": "2026-03-01T00:00:00", "zone_offset": "Z"})), MIDNIGHT);
    // To the nearest microsecond, and of two equally near to the even one, as Postgres does.
    assert_eq!(start(json!({"start_time": "2026-03-01 00:00:00.0000019Z", "zone_offset": 7})), MIDNIGHT + 2);
    assert_eq!(start(json!({"start_time": "2026-03-01T00:00:00.0000025Z"})), MIDNIGHT + 2);
    assert_eq!(code(json!({"start_time": "2026-03-01T02:00:00"})), Code::InvalidTime);
    assert_eq!(
        code(json!({"start_time": "2026-03-01T02:00:00", "zone_offset": "Berlin"})),
        Code::InvalidTime
    );
}

#[test]
fn a_sample_without_an_end_is_an_instant_and_a_sum_without_an_end_is_refused() {
    let weight = row(json!({"type": "weight", "value": 80, "unit": "kg", "end_time": null}));
    assert_eq!((weight.start_time, weight.end_time), (MIDNIGHT, MIDNIGHT));
    assert_eq!(code(json!({"end_time": null})), Code::MissingField);
}

#[test]
fn hrv_says_which_of_the_two_it_is() {
    let text = |source: &str, metric: &str| {
        let record = record(json!({"type": metric, "value": 45, "unit": "ms"}));
        match outcomes(source, json!([record])).remove(0) {
            RecordOutcome::Row(row) => row.value_text.expect("a text").into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text("healthkit", "hrv"), "sdnn");
    assert_eq!(text("health_connect", "hrv"), "rmssd");
    assert_eq!(text("healthkit", "hrv_rmssd"), "rmssd");
    assert_eq!(text("manual", "HKQuantityTypeIdentifierHeartRateVariabilitySDNN"), "sdnn");
    assert_eq!(text("health_connect", "HeartRateVariabilityRmssdRecord"), "rmssd");
}

fn night(stages: Value) -> Value {
    json!({"type": "sleep", "value": null, "unit": null, "stages": stages,
           "start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-01T08:00:00Z"})
}

fn stage(stage: &str, from: u8, to: u8) -> Value {
    json!({"stage": stage, "start_time": format!("2026-03-01T{from:02}:00:00Z"),
           "end_time": format!("2026-03-01T{to:02}:00:00Z")})
}

#[test]
fn sleep_stages_add_up_to_the_minutes_asleep() {
    let stages = json!([
        stage("inBed", 0, 8),
        stage("STAGE_TYPE_DEEP", 5, 7),
        stage("light", 0, 2),
        stage("awake", 2, 3),
        stage("asleepREM", 3, 4),
        stage("unknown", 7, 8),
    ]);
    assert_eq!(row(night(stages)).value_num, 300.0);
    assert_eq!(row(night(json!([stage("awake", 0, 8)]))).value_num, 0.0);
}

#[test]
fn stages_that_overlap_leave_the_session_or_have_no_known_name_are_refused() {
    for stages in [
        json!([stage("light", 0, 3), stage("deep", 2, 4)]),
        json!([stage("light", 7, 9)]),
        json!([stage("light", 3, 2)]),
        json!([stage("dreaming", 0, 1)]),
    ] {
        assert_eq!(code(night(stages.clone())), Code::InvalidStages, "{stages}");
    }
    assert_eq!(code(night(json!(vec![stage("awake", 0, 0); 2_881]))), Code::InvalidStages);
    assert_eq!(row(night(json!(vec![stage("awake", 0, 0); 2_880]))).value_num, 0.0);
    assert_eq!(code(night(json!("deep"))), Code::WrongType);
    assert_eq!(code(night(json!([{"stage": "light"}]))), Code::MissingField);
}

#[test]
fn sleep_without_stages_is_its_value_but_a_healthkit_category_is_no_duration() {
    let plain = json!({"type": "sleep", "value": 7.5, "unit": "h", "end_time": "2026-03-01T08:00:00Z"});
    assert_eq!(row(plain.clone()).value_num, 450.0);
    let mut category = plain;
    category["type"] = json!("HKCategoryTypeIdentifierSleepAnalysis");
    assert_eq!(code(category), Code::MissingField);
    assert_eq!(code(night(json!([]))), Code::MissingField);
}

#[test]
fn a_blood_pressure_comes_as_an_object_or_as_two_halves() {
    let whole =
        row(json!({"type": "blood_pressure", "value": {"systolic": 120, "diastolic": 80}, "unit": "mmHg"}));
    assert_eq!((whole.value_num, whole.value_text.as_deref()), (120.0, Some("120/80")));

    let half = |kind: &str, value: f64, id: &str| {
        record(json!({"type": kind, "value": value, "unit": "mmHg", "id": id}))
    };
    let systolic = half("blood_pressure_systolic", 120.0, "s");
    let diastolic = half("HKQuantityTypeIdentifierBloodPressureDiastolic", 80.5, "d");
    for (records, row_at) in [(json!([systolic, diastolic]), 0), (json!([diastolic, systolic]), 1)] {
        let outcomes = outcomes("healthkit", records);
        let RecordOutcome::Row(row) = &outcomes[row_at] else { panic!("{outcomes:?}") };
        assert_eq!((row.value_num, row.value_text.as_deref()), (120.0, Some("120/80.5")));
        assert_eq!(row.source_record_id.as_deref(), Some("s"));
        assert_eq!(outcomes[1 - row_at], RecordOutcome::Merged { into: row_at });
    }
}

#[test]
fn an_unpaired_half_is_refused_and_a_repeated_half_merges() {
    let half = |kind: &str, value: f64| record(json!({"type": kind, "value": value, "unit": "mmHg"}));
    let (systolic, diastolic) = ("blood_pressure_systolic", "blood_pressure_diastolic");
    let outcomes = |records| outcomes("healthkit", records);
    let reason = outcomes(json!([half(systolic, 120.0)]));
    assert!(matches!(&reason[0], RecordOutcome::Rejected(reason) if reason.to_string()
        == "unpaired: the batch has no diastolic pressure with the same start and end"));

    let repeated = outcomes(json!([half(systolic, 110.0), half(systolic, 120.0), half(diastolic, 80.0)]));
    assert_eq!(repeated[0], RecordOutcome::Merged { into: 1 });
    assert!(matches!(&repeated[1], RecordOutcome::Row(row) if row.value_num == 120.0));
    assert_eq!(repeated[2], RecordOutcome::Merged { into: 1 });
}

#[test]
fn the_last_of_several_records_with_one_period_or_one_id_wins() {
    let outcomes = outcomes(
        "healthkit",
        json!([
            record(json!({"value": 1, "id": "a"})),
            record(json!({"value": 2, "id": "b", "end_time": "2026-03-01T02:00:00Z"})),
            record(json!({"value": 3, "id": "b", "end_time": "2026-03-01T03:00:00Z"})),
            record(json!({"value": 4, "id": "c"})),
            record(json!({"value": 5, "id": "c", "source": "manual"})),
            record(json!({"value": "x", "id": "c"})),
        ]),
    );
    let value = |outcome: &RecordOutcome<'_>| match outcome {
        RecordOutcome::Row(row) => Some(row.value_num),
        _ => None,
    };
    assert_eq!(
        outcomes.iter().map(value).collect::<Vec<_>>(),
        [None, None, Some(3.0), Some(4.0), Some(5.0), None]
    );
    assert_eq!(outcomes[0], RecordOutcome::Merged { into: 3 });
    assert_eq!(outcomes[1], RecordOutcome::Merged { into: 2 });
    assert!(matches!(&outcomes[5], RecordOutcome::Rejected(reason) if reason.code == Code::WrongType));
}

#[test]
fn everything_wrong_with_a_record_has_its_code() {
    for (changes, expected) in [
        (json!({"type": "mood"}), Code::UnknownMetric),
        (json!({"type": null}), Code::MissingField),
        (json!({"type": 5}), Code::WrongType),
        (json!({"source": "fitbit"}), Code::UnknownSource),
        (json!({"source": {}}), Code::WrongType),
        (json!({"unit": "kg"}), Code::UnknownUnit),
        (json!({"unit": 5}), Code::WrongType),
        (json!({"value": null}), Code::MissingField),
        (json!({"value": "100"}), Code::WrongType),
        (json!({"value": "NaN"}), Code::WrongType),
        (json!({"value": [100]}), Code::WrongType),
        (json!({"value": true}), Code::WrongType),
        (json!({"type": "distance", "value": 1e308, "unit": "mi"}), Code::NotFinite),
        (json!({"type": "blood_pressure", "value": 120, "unit": "mmHg"}), Code::InvalidRecord),
        (json!({"type": "blood_pressure", "value": {"systolic": 120}, "unit": "mmHg"}), Code::MissingField),
        (json!({"start_time": null}), Code::MissingField),
        (json!({"start_time": 1_772_323_200}), Code::WrongType),
        (json!({"start_time": "yesterday"}), Code::InvalidTime),
        (json!({"start_time": "2026-02-30T00:00:00Z"}), Code::InvalidTime),
        (json!({"start_time": "1969-12-31T23:59:59Z"}), Code::TimeOutOfRange),
        (json!({"end_time": "2101-01-01T00:00:00Z"}), Code::TimeOutOfRange),
        (json!({"end_time": "30000-01-01T00:00:00Z"}), Code::InvalidTime),
        (json!({"end_time": "2026-02-28T23:00:00Z"}), Code::EndBeforeStart),
        (json!({"recorded_at": "soon"}), Code::InvalidTime),
        (json!({"id": "x".repeat(256)}), Code::InvalidId),
        (json!({"id": "a\u{0}b"}), Code::InvalidId),
        (json!({"id": {}}), Code::WrongType),
    ] {
        assert_eq!(code(changes.clone()), expected, "{changes}");
    }
    assert_eq!(row(json!({"id": "é".repeat(255)})).source_record_id.expect("an id").chars().count(), 255);
    assert_eq!(row(json!({"id": 12_345_678_901_u64})).source_record_id.as_deref(), Some("12345678901"));
    assert_eq!(row(json!({"id": ""})).source_record_id, None);
}

#[test]
fn what_is_no_batch_is_an_error_of_the_whole() {
    for payload in
        ["", "5", "null", "{}", "{\"records\": 5}", "[1, 2", "[NaN]", "{\"records\": [], \"records\": []}"]
    {
        assert!(matches!(parse(payload), Err(BatchError::Shape(_))), "{payload}");
    }
    assert!(matches!(parse(r#"{"records": [], "ingestion_version": {}}"#), Err(BatchError::Shape(_))));
    let empty = Batch { ingestion_version: Some("7".into()), outcomes: vec![] };
    assert_eq!(parse(r#" {"records": [], "ingestion_version": "7"}"#), Ok(empty));
}

#[test]
fn ten_thousand_records_are_a_batch_and_one_more_is_too_many() {
    let batch = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    assert_eq!(parse(&batch(MAX_RECORDS)).map(|batch| batch.outcomes.len()), Ok(MAX_RECORDS));
    assert_eq!(parse(&batch(MAX_RECORDS + 1)), Err(BatchError::TooMany(MAX_RECORDS + 1)));
}
