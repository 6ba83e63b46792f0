//! What should never have been sent: wrong shapes, wrong values, far too much of it, for the wrong person.
//!
//! Promises: every record of a batch is answered, a bad one never costs a good one, what can't be read as a batch is one
//! clear error, and the other doors refuse what the batch door would. Stops at mistakes that somebody thought of:
//! `ingest_malformed` makes thousands more.

use crate::readings::{Reading, copy, counts, ingest, ingest_text, table, upsert};
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

fn good() -> Value {
    Reading::steps("garmin", 0, 4_321.0).record()
}

/// A good record with some fields replaced.
fn with(fields: Value) -> Value {
    let mut record = Reading::steps("garmin", 1, 1.0).record();
    record.as_object_mut().expect("a record").extend(fields.as_object().expect("fields").clone());
    record
}

fn without(field: &str) -> Value {
    let mut record = with(json!({}));
    record.as_object_mut().expect("a record").remove(field);
    record
}

#[test]
fn a_bad_record_is_answered_with_its_reason_and_costs_no_other() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let pressure = |value: Value| json!({"type": "blood_pressure", "unit": "mmHg", "value": value});
    let cases = [
        (with(json!({"type": "mood"})), "unknown_metric"),
        (with(json!({"type": "STEPS"})), "unknown_metric"),
        (with(json!({"type": null})), "missing_field"),
        (with(json!({"type": 5})), "wrong_type"),
        (with(json!({"source": "fitbit"})), "unknown_source"),
        (without("source"), "missing_field"),
        (with(json!({"unit": "furlong"})), "unknown_unit"),
        (with(json!({"unit": "kg"})), "unknown_unit"),
        (with(json!({"unit": 3})), "wrong_type"),
        (with(json!({"value": "NaN"})), "wrong_type"),
        (with(json!({"value": "Infinity"})), "wrong_type"),
        (with(json!({"value": "12"})), "wrong_type"),
        (with(json!({"value": true})), "wrong_type"),
        (with(json!({"value": [1]})), "wrong_type"),
        (with(json!({"value": null})), "missing_field"),
        (without("value"), "missing_field"),
        (without("start_time"), "missing_field"),
        (with(json!({"start_time": "2025-03-05T00:00:01Z"})), "end_before_start"),
        (with(json!({"end_time": "30000-01-01T00:00:00Z"})), "invalid_time"),
        (with(json!({"end_time": "+030000-01-01T00:00:00Z"})), "invalid_time"),
        (with(json!({"end_time": "9999-01-01T00:00:00Z"})), "time_out_of_range"),
        (with(json!({"start_time": "1969-12-31T23:59:59Z"})), "time_out_of_range"),
        (with(json!({"start_time": "-0001-12-31T23:59:59Z"})), "invalid_time"),
        (with(json!({"start_time": "2025-02-30T00:00:00Z"})), "invalid_time"),
        (with(json!({"start_time": "2025-03-03T00:00:00"})), "invalid_time"),
        (with(json!({"start_time": "yesterday"})), "invalid_time"),
        (with(json!({"start_time": 1_740_960_000})), "wrong_type"),
        (with(json!({"id": "x".repeat(256)})), "invalid_id"),
        (with(json!({"id": "a\u{7}b"})), "invalid_id"),
        (with(json!({"id": {"uuid": 1}})), "wrong_type"),
        (with(pressure(json!(120))), "invalid_record"),
        (with(pressure(json!({"systolic": 120}))), "missing_field"),
        (with(json!({"type": "sleep", "unit": "min", "stages": "deep"})), "wrong_type"),
        (with(json!({"type": "sleep", "unit": "min", "stages": [{"stage": "deep"}]})), "missing_field"),
        (with(json!({"notes": "x".repeat(2_000_000)})), "invalid_record"),
        (json!(null), "invalid_record"),
        (json!(5), "invalid_record"),
        (json!("steps"), "invalid_record"),
        (json!([]), "invalid_record"),
        (json!({}), "missing_field"),
    ];
    let mut batch: Vec<Value> = cases.iter().map(|(record, _)| record.clone()).collect();
    batch.insert(20, good());
    let answer = ingest(&mut phone, person.profile_id, &json!(batch)).expect("the batch is answered");
    assert_eq!(counts(&answer), [1, 0, 0, 0, cases.len() as u64], "{answer}");
    assert_eq!(answer["received"], batch.len());
    let rejections = answer["rejections"].as_array().expect("a list");
    for (rejection, (nth, (record, code))) in rejections.iter().zip(cases.iter().enumerate()) {
        assert_eq!(rejection["index"], if nth < 20 { nth } else { nth + 1 });
        let reason = rejection["reason"].as_str().expect("a text");
        let record: String = record.to_string().chars().take(200).collect();
        assert!(reason.starts_with(&format!("{code}: ")), "{reason}, not {code}, for {record}");
        assert!(reason.chars().count() < 300 && !reason.contains(char::is_control), "{reason}");
    }
    assert_eq!(table(&mut db.admin(), person, &[]).len(), 1);
}

#[test]
fn numbers_beyond_all_bounds_are_answered_too() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    // serde_json can't hold these, so they are put into the text.
    for (value, outcome) in [
        ("1e400", "not_finite"),
        ("-1e400", "not_finite"),
        ("1e131071", "not_finite"),
        ("123456789e1000", "not_finite"),
        ("1e-16383", "row"),
        ("0.1e1", "row"),
        ("-0", "row"),
    ] {
        let body = json!([good(), with(json!({"value": "HERE"}))]).to_string().replace("\"HERE\"", value);
        let answer =
            ingest_text(&mut phone, person.profile_id, &body).unwrap_or_else(|e| panic!("{value}: {e:?}"));
        assert_eq!(answer["received"], 2, "{value}: {answer}");
        let reason = answer["rejections"][0]["reason"].as_str().unwrap_or("row");
        assert!(reason.starts_with(outcome), "{value}: {reason}");
    }
    // More than a number may have is no JSON to Postgres. One great pressure is no pressure, but no error either.
    assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, "[{\"value\": 1e200000}]")), "22003");
    for great in [1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE] {
        let pressure = with(json!({
            "type": "blood_pressure", "unit": "mmHg", "value": {"systolic": great, "diastolic": great}
        }));
        let answer = ingest(&mut phone, person.profile_id, &json!([good(), pressure])).expect("answered");
        assert_eq!(counts(&answer).iter().sum::<u64>(), 2, "{great}: {answer}");
    }
    db.run_jobs();
}

#[test]
fn what_is_no_batch_is_one_clear_error() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    for body in [
        "null",
        "5",
        "true",
        "\"records\"",
        "{}",
        r#"{"records": null}"#,
        r#"{"records": {}}"#,
        r#"{"records": "x"}"#,
    ] {
        assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, body)), "PT400", "{body}");
    }
    let null = phone.query_one("select public.ingest_health_metrics($1, null)", &[&person.profile_id]);
    assert_eq!(sqlstate(null), "PT400");
    for (body, expected) in [
        ("", "22P02"),
        ("[", "22P02"),
        ("[NaN]", "22P02"),
        (r#"["\u0000"]"#, "22P05"),
        (r#"{"records": [], "ingestion_version": {}}"#, "22023"),
    ] {
        assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, body)), expected, "{body}");
    }
    for body in ["[]", r#"{"records": []}"#, r#"{"records": [], "source": 5, "more": {}}"#] {
        let answer = ingest_text(&mut phone, person.profile_id, body).expect("an empty batch is a batch");
        assert_eq!(counts(&answer), [0; 5], "{body}");
    }
    // The longest version that the parser lets through fits into its column.
    for length in [1, 64, 65, 255, 256] {
        let batch = json!({"source": "garmin", "ingestion_version": "v".repeat(length), "records": [with(json!({"value": length}))]});
        match ingest(&mut phone, person.profile_id, &batch) {
            Ok(answer) => assert_eq!(answer["received"], 1),
            Err(error) => assert_eq!((sqlstate::<()>(Err(error)).as_str(), length), ("22023", 256)),
        }
    }
}

#[test]
fn too_much_at_once_is_refused_and_the_connection_goes_on() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let many = |count: i64| -> Value {
        (0..count).map(|n| Reading::steps("garmin", 0, 1.0).hours(n, n + 1).record()).collect()
    };
    assert_eq!(sqlstate(ingest(&mut phone, person.profile_id, &many(10_001))), "PT413");
    let garbage = format!("[{}]", vec!["0"; 1_000_000].join(","));
    assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, &garbage)), "PT413");
    let heavy = json!([with(json!({"notes": "x".repeat(100_000_000)}))]).to_string();
    assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, &heavy)), "PT413");
    let deep = |depth: usize| format!("[{{\"notes\": {}{}}}]", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(sqlstate(ingest_text(&mut phone, person.profile_id, &deep(100_000))), "54001");
    let answer = ingest_text(&mut phone, person.profile_id, &deep(1_000)).expect("a deep record is answered");
    assert_eq!(counts(&answer), [0, 0, 0, 0, 1]);

    let answer = ingest(&mut phone, person.profile_id, &many(10_000)).expect("the largest batch comes in");
    assert_eq!(counts(&answer), [10_000, 0, 0, 0, 0]);
}

#[test]
fn a_profile_that_is_not_mine_or_gone_takes_nothing() {
    let db = TestDb::new();
    let (ada, eve, gone) =
        (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"), db.sign_up("gone@example.com"));
    let mut phone = db.api(eve.caller());
    let child: Uuid = phone
        .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
        .expect("a dependent can be added")
        .get(0);
    phone
        .execute("delete from public.wt_profiles where id = $1", &[&child])
        .expect("a dependent can be removed");
    for profile in [ada.profile_id, child, Uuid::nil()] {
        assert_eq!(sqlstate(ingest(&mut phone, profile, &json!([good()]))), "PT404");
    }
    let null = phone.query_one("select public.ingest_health_metrics(null, '[]')", &[]);
    assert_eq!(sqlstate(null), "PT404");

    // A token outlives its account by an hour.
    let mut left = db.api(gone.caller());
    db.admin()
        .execute("delete from auth.users where id = $1", &[&gone.user_id])
        .expect("the account is closed");
    assert_eq!(sqlstate(ingest(&mut left, gone.profile_id, &json!([good()]))), "PT404");
    assert_eq!(sqlstate(ingest(&mut db.api(Caller::Service), gone.profile_id, &json!([good()]))), "PT404");
    assert_eq!(sqlstate(ingest(&mut db.api(Caller::Anon), ada.profile_id, &json!([good()]))), "42501");

    // The other doors refuse, too: a row of mine on her profile, a row of hers.
    let mine_on_hers = Reading::steps("garmin", 0, 1.0).row(Person { profile_id: ada.profile_id, ..eve });
    assert_eq!(sqlstate(upsert(&mut phone, std::slice::from_ref(&mine_on_hers))), "23503");
    assert_eq!(sqlstate(upsert(&mut phone, &[Reading::steps("garmin", 0, 1.0).row(ada)])), "42501");
    assert_eq!(sqlstate(copy(&mut db.api(Caller::Service), &[mine_on_hers])), "23503");
    assert_eq!(table(&mut db.admin(), ada, &[]), [] as [Value; 0]);
    ingest(&mut db.api(Caller::Service), ada.profile_id, &json!([good()]))
        .expect("the service speaks for everybody");
    assert_eq!(table(&mut db.admin(), ada, &[])[0]["user_id"], json!(ada.user_id));
}

#[test]
fn a_bad_row_is_refused_by_the_other_doors_with_all_that_came_beside_it() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let (mut phone, mut service) = (db.api(person.caller()), db.api(Caller::Service));
    let good = Reading::steps("garmin", 0, 1.0).row(person);
    for (fields, expected) in [
        (json!({"value_num": "NaN"}), "22003"),
        (json!({"value_num": "Infinity"}), "22003"),
        (json!({"value_num": "-Infinity"}), "22003"),
        (json!({"value_num": "1e400"}), "22003"),
        (json!({"value_num": "many"}), "22P02"),
        (json!({"value_num": null}), "23514"),
        (json!({"metric_type": "mood"}), "22P02"),
        (json!({"metric_type": null}), "23502"),
        (json!({"source": "fitbit"}), "22P02"),
        (json!({"unit": "furlong"}), "22023"),
        (json!({"start_time": null}), "23502"),
        (json!({"start_time": "2025-04-01"}), "23514"),
        (json!({"start_time": "1969-12-31"}), "23514"),
        (json!({"end_time": "30000-01-01"}), "22008"),
        (json!({"end_time": "infinity"}), "22008"),
        (json!({"start_time": "-infinity"}), "22008"),
        (json!({"end_time": "300000-01-01"}), "22008"),
        (json!({"source_record_id": "x".repeat(256)}), "23514"),
        (json!({"value_text": "x".repeat(256)}), "23514"),
        (json!({"profile_id": null}), "23502"),
    ] {
        let mut bad = Reading::steps("garmin", 1, 1.0).row(person);
        bad["source_record_id"] = json!("bad");
        bad.as_object_mut().expect("a row").extend(fields.as_object().expect("fields").clone());
        assert_eq!(
            sqlstate(upsert(&mut phone, &[good.clone(), bad.clone()])),
            expected,
            "upsert of {fields}"
        );
        assert_eq!(sqlstate(copy(&mut service, &[good.clone(), bad])), expected, "copy of {fields}");
    }
    assert_eq!(table(&mut db.admin(), person, &[]).len(), 0);
}
