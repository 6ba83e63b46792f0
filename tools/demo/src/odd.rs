//! Records that no phone should send, and some do.
//!
//! Promises: each phone's [`Trouble`] as records about its history's last day: some malformed, so that the
//! database turns them away at the door, some well-formed and implausible, so that they come in and
//! validation refuses them. None of them ever counts. Stops at readings that count: one is sent twice, as
//! phones do, but as it was.

use anyhow::Result;
use serde_json::{Value, json};

use super::history::History;
use super::people::{Person, Trouble};
use super::phone::{hour, record, stamp};

/// The records, in the order in which they are sent.
///
/// # Errors
///
/// A history at the end of the calendar.
pub(super) fn records(person: &Person, history: &History) -> Result<Vec<Value>> {
    let at = |clock| Ok::<_, anyhow::Error>(stamp(&hour(person, history.last_day, clock)?));
    let (midnight, morning, noon, afternoon) = (at(0)?, at(7)?, at(12)?, at(15)?);
    let between = |start: &str, end: &str, name: &str, value: Value, unit: &str| {
        json!({"id": format!("odd-{name}"), "type": name, "value": value, "unit": unit,
               "start_time": start, "end_time": end})
    };
    let at_noon = |name: &str, value: Value, unit: &str| between(&noon, &noon, name, value, unit);
    let stage = |name| json!({"stage": name, "start_time": midnight, "end_time": morning});
    Ok(match person.trouble {
        Trouble::Beta => {
            let mut records = vec![
                at_noon("mood", json!(4), "smileys"),
                between(&midnight, &noon, "StepsRecord", json!("about 9000"), "count"),
                json!("heart rate was fine"),
                at_noon("RestingHeartRateRecord", json!(250), "bpm"),
            ];
            if let Some(last) = history.readings.last() {
                records.extend([record(person, history, last)?, record(person, history, last)?]);
            }
            records
        }
        Trouble::Units => vec![
            between(
                &midnight,
                &noon,
                "HKQuantityTypeIdentifierDistanceWalkingRunning",
                json!(21.5),
                "furlong",
            ),
            at_noon("HKQuantityTypeIdentifierBloodPressureSystolic", json!(124), "mmHg"),
            // 160.0 lb without its point.
            at_noon("HKQuantityTypeIdentifierBodyMass", json!(1600), "lb"),
            at_noon("HKQuantityTypeIdentifierOxygenSaturation", json!(0.31), "%"),
        ],
        Trouble::Clock => vec![
            between("yesterday evening", &noon, "RestingHeartRateRecord", json!(71), "bpm"),
            between(&noon, &midnight, "StepsRecord", json!(8200), "count"),
            json!({"id": "odd-stages", "type": "SleepSessionRecord",
                   "start_time": midnight, "end_time": morning, "stages": [stage("light"), stage("deep")]}),
            between("2091-05-01T00:00:00Z", "2091-05-02T00:00:00Z", "DistanceRecord", json!(6100), "m"),
            between(&noon, &afternoon, "SleepSessionRecord", json!(400), "min"),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::super::generate::{SEED, histories};
    use super::super::people::PEOPLE;
    use super::super::phone::batch;
    use super::*;
    use welltrack_core::UnixMicros;
    use welltrack_core::providers::app_batch::{RecordOutcome, Row, parse};
    use welltrack_core::validate::{Reading, validate};

    /// 2026-01-01, when all of these days are over.
    const NOW: UnixMicros = 1_767_225_600_000_000;

    fn judge(row: &Row<'_>) -> String {
        let reading = Reading {
            metric: row.metric,
            value_num: Some(row.value_num),
            value_text: row.value_text.as_deref(),
            start_time: Some(row.start_time),
            end_time: Some(row.end_time),
            recorded_at: row.recorded_at,
        };
        validate(&reading, NOW)
            .map_or_else(|reason| format!("kept, {}", reason.code.as_str()), |()| "counts".into())
    }

    /// The rules that the database runs, run here.
    #[test]
    fn every_odd_record_meets_the_rule_it_was_made_for() {
        let found = [0, 1, 2].map(|who| {
            let (person, history) = (&PEOPLE[who], &histories(SEED)[who]);
            let sent = batch(person, &records(person, history).expect("records")).to_string();
            let outcomes = parse(&sent).expect("a batch").outcomes;
            let outcome = |outcome: &RecordOutcome<'_>| match outcome {
                RecordOutcome::Row(row) => judge(row),
                RecordOutcome::Rejected(reason) => reason.code.as_str().to_owned(),
                RecordOutcome::Merged { .. } => "merged".to_owned(),
            };
            outcomes.iter().map(outcome).collect::<Vec<_>>()
        });
        let beta =
            ["unknown_metric", "wrong_type", "invalid_record", "kept, out_of_range", "merged", "counts"];
        let units = ["unknown_unit", "unpaired", "kept, out_of_range", "kept, out_of_range"];
        let clock =
            ["invalid_time", "end_before_start", "invalid_stages", "kept, in_future", "kept, inconsistent"];
        assert_eq!(found, [beta.as_slice(), &units, &clock].map(<[&str]>::to_vec));
    }
}
