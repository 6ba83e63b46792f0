//! The app's batch under attack: arbitrary bytes, broken batches, bombs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use welltrack_core::providers::app_batch::{RecordOutcome, parse};

/// A record that is fine in most draws, and wrong in one or two fields in the others.
fn record() -> impl Strategy<Value = Value> {
    let metric = prop_oneof![
        8 => proptest::sample::select(vec!["steps", "weight", "hrv", "spo2", "sleep"]),
        4 => proptest::sample::select(vec!["blood_pressure_systolic", "blood_pressure_diastolic"]),
        1 => Just("mood"),
    ];
    let source = prop_oneof![8 => Just(Some("healthkit")), 4 => Just(Some("manual")), 1 => Just(Some("x")), 1 => Just(None)];
    // Few distinct periods and ids, so that repeats are the rule.
    (metric, source, 0..3_u8, 1..3_u8, proptest::option::of(0..4_u8), any::<f64>(), any::<bool>()).prop_map(
        |(metric, source, start, length, id, wild, tame)| {
            let value = if tame { json!(60) } else { json!(wild) };
            json!({
                "type": metric, "source": source, "value": value, "id": id.map(|id| format!("id-{id}")),
                "start_time": format!("2026-03-01T0{start}:00:00Z"),
                "end_time": format!("2026-03-01T0{}:00:00Z", start + length),
            })
        },
    )
}

fn batch() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(record(), 0..40)
}

proptest! {
    #[test]
    fn arbitrary_text_is_answered(payload in ".{0,400}") {
        let _ = parse(&payload);
    }

    #[test]
    fn arbitrary_records_are_answered(records in proptest::collection::vec(r#"[0-9]{1,5}|"\PC{0,9}"|\{"type":"steps"\}|\[\]|null"#, 0..20)) {
        let payload = format!("[{}]", records.join(","));
        if let Ok(batch) = parse(&payload) {
            prop_assert_eq!(batch.outcomes.len(), records.len());
            prop_assert!(batch.outcomes.iter().all(|outcome| matches!(outcome, RecordOutcome::Rejected(_))));
        }
    }

    #[test]
    fn a_batch_with_flipped_bytes_is_answered(records in batch(), flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut bytes = json!({"source": "manual", "records": records}).to_string().into_bytes();
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(payload) = std::str::from_utf8(&bytes) {
            let _ = parse(payload);
        }
    }

    #[test]
    fn every_record_has_one_outcome_and_no_two_rows_collide(records in batch()) {
        let payload = json!(records).to_string();
        let outcomes = parse(&payload).unwrap().outcomes;
        prop_assert_eq!(outcomes.len(), records.len());
        let (mut periods, mut ids) = (HashSet::new(), HashSet::new());
        for (at, outcome) in outcomes.iter().enumerate() {
            match outcome {
                RecordOutcome::Row(row) => {
                    prop_assert!(row.value_num.is_finite() && row.start_time <= row.end_time);
                    prop_assert!(periods.insert((row.source, row.metric, row.start_time, row.end_time)));
                    if let Some(id) = &row.source_record_id {
                        prop_assert!(ids.insert((row.source, row.metric, id.clone())));
                    }
                }
                RecordOutcome::Merged { into } => prop_assert!(*into < outcomes.len() && *into != at),
                RecordOutcome::Rejected(reason) => prop_assert!(reason.to_string().len() < 500),
            }
        }
    }

    #[test]
    fn a_record_alone_fares_as_in_a_batch_unless_another_one_overtakes_it(records in batch()) {
        let payload = json!(records).to_string();
        for (record, outcome) in records.iter().zip(parse(&payload).unwrap().outcomes) {
            let alone = json!([record]).to_string();
            let alone = parse(&alone).unwrap().outcomes.remove(0);
            let half = record["type"].as_str().is_some_and(|name| name.starts_with("blood_pressure_"));
            match outcome {
                RecordOutcome::Merged { .. } => {}
                RecordOutcome::Row(_) if half => {}
                outcome => prop_assert_eq!(outcome, alone),
            }
        }
    }

    #[test]
    fn a_batch_sent_twice_in_one_is_the_same_rows(mut records in batch()) {
        // Two halves of one side that differ in their id leave one over, which the repetition may find a partner for.
        for record in &mut records {
            if record["type"].as_str().is_some_and(|name| name.starts_with("blood_pressure_")) {
                record["id"] = Value::Null;
            }
        }
        let once = json!(records).to_string();
        let doubled: Vec<_> = records.iter().chain(&records).collect();
        let doubled = json!(doubled).to_string();
        let rows = |payload| -> Vec<_> {
            parse(payload).unwrap().outcomes.into_iter().filter(|outcome| matches!(outcome, RecordOutcome::Row(_))).collect()
        };
        prop_assert_eq!(rows(&once), rows(&doubled));
    }
}

#[test]
fn numbers_that_no_float_holds_and_nesting_bombs_cost_one_record() {
    let bomb = format!("{}{}", "[".repeat(250_000), "]".repeat(250_000));
    let record = |value: &str, more: &str| {
        format!(
            r#"{{"type":"steps","value":{value},{more}"start_time":"2026-03-01T00:00:00Z","end_time":"2026-03-01T01:00:00Z"}}"#
        )
    };
    let records = [
        record("1e400", ""),
        record("-1e400", ""),
        record(&"9".repeat(100_000), ""),
        record(&format!("0.{}", "1".repeat(100_000)), ""),
        record(&bomb, ""),
        record("1", &format!(r#""stages":{bomb},"#)),
        record("1", &format!(r#""device":{bomb},"#)),
        record("1", r#""id":"\ud800","#),
        bomb.clone(),
        format!("\"{}\"", "x".repeat(1_000_000)),
        // Longer than a record may be, and numbers that would fill a line.
        record("2", &format!(r#""device":"{}","#, "x".repeat(600_000))),
        record(r#"{"systolic":1e300,"diastolic":1e-300}"#, "").replace("steps", "blood_pressure"),
    ];
    let payload = format!(r#"{{"source":"manual","records":[{}]}}"#, records.join(","));
    let outcomes = parse(&payload).expect("a batch").outcomes;
    let fate = |outcome: &RecordOutcome<'_>| match outcome {
        RecordOutcome::Row(_) => "row",
        RecordOutcome::Merged { .. } => "merged",
        RecordOutcome::Rejected(reason) => reason.code.as_str(),
    };
    // The fourth and the sixth record have the seventh's period.
    assert_eq!(
        outcomes.iter().map(fate).collect::<Vec<_>>(),
        [
            "not_finite",
            "not_finite",
            "not_finite",
            "merged",
            "wrong_type",
            "merged",
            "row",
            "wrong_type",
            "invalid_record",
            "invalid_record",
            "invalid_record",
            "row",
        ]
    );
    let Some(RecordOutcome::Row(pressure)) = outcomes.last() else { panic!("a pressure") };
    assert_eq!(pressure.value_text.as_deref(), Some("1e300/1e-300"));
}

#[test]
fn cost_grows_with_the_payload_and_not_faster() {
    // A million commas and a megabyte of one string: quadratic work would take minutes.
    let started = Instant::now();
    let commas = format!("[{}0]", "0,".repeat(1_000_000));
    assert!(parse(&commas).is_err());
    let letters = format!(r#"[{{"type":"{}","source":"manual"}}]"#, r"\u0041".repeat(1_000_000));
    assert!(parse(&letters).is_ok());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
