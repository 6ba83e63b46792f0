//! Thousands of malformed records and bodies, made by chance from good ones.
//!
//! Promises: no input whatever is an internal error, every record of what can be read as a batch is answered, and
//! nothing is stored by halves. Stops at what chance makes: mistakes with a name are in `ingest_bad`.

use crate::readings::{Reading, cases, counts, ingest, ingest_text, records};
use postgres::{Client, Error};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::cell::RefCell;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, become_caller};

/// Values that nobody expects where they turn up.
fn weird() -> impl Strategy<Value = Value> {
    let texts = vec![
        "",
        "NaN",
        "-1",
        "1e400",
        "2025-03-03",
        "2025-03-03T00:00:00Z",
        "2025-03-03T25:00:00+99:99",
        "garmin",
        "sleep",
        "blood_pressure",
        "blood_pressure_systolic",
        "blood_pressure_diastolic",
        "%",
        "\\u0000",
        "\u{202e}\u{7f}",
        "😀",
        "'",
        "'; drop table wt_health_metrics; --",
        "null",
        "+05:45",
        "deep",
        "unavailable",
        "120/80",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(texts).prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[[[[[[1]]]]]]]])),
        Just(json!({"systolic": 120, "diastolic": 80})),
        Just(
            json!([{"stage": "deep", "start_time": "2025-03-03T00:00:00Z", "end_time": "2025-03-03T01:00:00Z"}])
        ),
        Just(json!("x".repeat(3_000))),
    ]
}

/// A record in which some fields say something else, are gone, or are too many; or no record at all.
fn malformed() -> impl Strategy<Value = Value> {
    let fields = vec![
        "id",
        "type",
        "value",
        "unit",
        "start_time",
        "end_time",
        "recorded_at",
        "zone_offset",
        "stages",
        "source",
        "device",
        "value_text",
        "dedupe_hash",
        "",
    ];
    let metric = prop::sample::select(vec!["steps", "sleep", "weight", "hrv", "blood_pressure", "spo2"]);
    let change = (prop::sample::select(fields), prop::option::weighted(0.8, weird()));
    prop_oneof![
        12 => (metric, 0..40_i64, prop::collection::vec(change, 1..4)).prop_map(|(metric, day, changes)| {
            let mut record = Reading::daily("healthkit", metric, "", day, 60.0).record();
            let fields = record.as_object_mut().expect("a record");
            fields.remove("unit");
            for (field, change) in changes {
                match change {
                    Some(value) => fields.insert(field.to_owned(), value),
                    None => fields.remove(field),
                };
            }
            record
        }),
        1 => weird(),
    ]
}

/// No input is an internal error, and what is refused as a whole is refused as the client's mistake.
fn check_refusal(error: &Error) -> Result<(), TestCaseError> {
    let code = error.code().map_or("none", |code| code.code());
    let class = ["22", "54", "P0", "PT"].into_iter().any(|class| code.starts_with(class));
    prop_assert!(class, "{code}: {error:?}");
    Ok(())
}

fn rows(admin: &mut Client, person: Person) -> u64 {
    let count = "select count(*) from public.wt_health_metrics where user_id = $1";
    admin.query_one(count, &[&person.user_id]).expect("readable").get::<_, i64>(0) as u64
}

#[test]
fn ten_thousand_malformed_records_are_all_answered_and_none_is_stored_by_halves() {
    let db = TestDb::new();
    let clients = RefCell::new((db.admin(), db.api(Caller::Anon)));
    const BATCH: usize = 100;
    TestRunner::new(cases(100))
        .run(&prop::collection::vec(malformed(), BATCH), |batch| {
            let (admin, phone) = &mut *clients.borrow_mut();
            let person = db.sign_up(&format!("{}@example.com", Uuid::new_v4().simple()));
            become_caller(phone, person.caller());
            let answer = match ingest(phone, person.profile_id, &json!(batch)) {
                Ok(answer) => answer,
                Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
            };
            let [inserted, updated, unchanged, merged, rejected] = counts(&answer);
            prop_assert_eq!(&answer["received"], BATCH);
            prop_assert_eq!(inserted + merged + rejected, BATCH as u64, "{}", answer);
            prop_assert_eq!((updated, unchanged), (0, 0));
            prop_assert_eq!(rows(admin, person), inserted);
            let rejections = answer["rejections"].as_array().expect("a list");
            prop_assert_eq!(rejections.len() as u64, rejected);
            let mut last = -1;
            for rejection in rejections {
                let index = rejection["index"].as_i64().expect("a place");
                prop_assert!(last < index && index < BATCH as i64);
                last = index;
                let reason = rejection["reason"].as_str().expect("a text");
                prop_assert!(reason.contains(": ") && reason.chars().count() < 400, "{}", reason);
            }
            // What came in can be judged, and comes in again without a change.
            db.run_jobs();
            let again = ingest(phone, person.profile_id, &json!(batch)).expect("answered before");
            prop_assert_eq!(counts(&again), [0, 0, inserted, merged, rejected]);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_body_with_flipped_cut_and_doubled_bytes_is_no_internal_error() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let clients = RefCell::new((db.admin(), db.api(person.caller())));
    let body = records(&[
        Reading::steps("garmin", 0, 1_234.5).named("summary"),
        Reading::daily("healthkit", "body_fat", "%", 1, 0.25),
        Reading::daily("manual", "sleep", "h", 2, 7.5),
    ]);
    let body = json!({"source": "garmin", "ingestion_version": "1.2.3", "records": body}).to_string();
    let flips =
        prop::collection::vec((any::<prop::sample::Index>(), "[ -~\\n\\\\\"{}\\[\\]0-9eE+-]|\\PC"), 0..4);
    let cut = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8);
    TestRunner::new(cases(1_000))
        .run(&(flips, cut), |(flips, (from, to, action))| {
            let mut text: Vec<char> = body.chars().collect();
            for (at, with) in &flips {
                *at.get_mut(&mut text) = with.chars().next().unwrap_or(' ');
            }
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            match action {
                0 => drop(text.drain(from..to)),
                1 => text.extend_from_within(from..to),
                _ => {}
            }
            let text: String = text.into_iter().collect();
            let (admin, phone) = &mut *clients.borrow_mut();
            let before = rows(admin, person);
            match ingest_text(phone, person.profile_id, &text) {
                Ok(answer) => {
                    let counts = counts(&answer);
                    prop_assert_eq!(&answer["received"], counts.iter().sum::<u64>());
                    prop_assert!(rows(admin, person) <= before + counts[0]);
                }
                Err(error) => {
                    check_refusal(&error)?;
                    prop_assert_eq!(rows(admin, person), before);
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
