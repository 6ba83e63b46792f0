//! The background job that judges readings.
//!
//! Promises: each metric is plausible up to its bounds and not a hair beyond, a rejected reading says why, stays stored
//! and comes back when it is corrected, and jobs that overlap neither collide nor judge twice. The bounds are those that
//! the extension names. Stops at judging: what counts afterwards is in `baselines`.

use crate::readings::{Reading, ingest, records, table, upsert, versions};
use serde_json::{Value, json};
use std::slice::from_ref;
use std::sync::Barrier;
use std::thread;
use welltrack_tests::catalogue::{Metric, metrics};
use welltrack_tests::{Caller, TestDb};

/// Status and reason of each reading, by start.
fn verdicts(db: &TestDb) -> Vec<(String, Option<String>)> {
    db.admin()
        .query(
            "select validation_status::text, rejection_reason from public.wt_health_metrics order by start_time",
            &[],
        )
        .expect("the table can be read")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

#[test]
fn every_metric_is_plausible_up_to_its_bounds_and_not_beyond() {
    let db = TestDb::new();
    let metrics = metrics(&mut db.admin());
    for Metric { label: metric, unit, least, greatest } in metrics.into_iter().filter(Metric::is_one_number) {
        let person = db.sign_up(&format!("{metric}@example.com"));
        let values = [least, greatest, least.next_down(), greatest.next_up(), -1e300, 1e300];
        let readings: Vec<_> = (0..)
            .zip(values)
            .map(|(day, value)| Reading::daily("garmin", metric, unit, day, value))
            .collect();
        let mut phone = db.api(person.caller());
        ingest(&mut phone, person.profile_id, &records(&readings)).expect("implausible readings are taken");
        db.run_jobs();
        for (verdict, value) in verdicts(&db).iter().zip(values) {
            let plausible = (least..=greatest).contains(&value);
            assert_eq!(
                verdict.0,
                if plausible { "validated" } else { "rejected" },
                "{metric} {value:e}: {verdict:?}"
            );
            let reason = verdict.1.as_deref().unwrap_or_default();
            assert_eq!(
                reason.starts_with(&format!("out_of_range: {metric} ")),
                !plausible,
                "{value:e}: {reason}"
            );
        }
        phone.execute("delete from public.wt_health_metrics", &[]).expect("own rows");
    }
}

#[test]
fn a_blood_pressure_is_judged_by_both_its_numbers() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let cases = [
        ((120.0, 80.0), "validated"),
        ((70.0, 40.0), "validated"),
        ((250.0, 150.0), "validated"),
        ((69.0, 40.0), "out_of_range: blood_pressure 69"),
        ((251.0, 150.0), "out_of_range: blood_pressure 251"),
        ((120.0, 39.0), "out_of_range: diastolic 39"),
        ((200.0, 151.0), "out_of_range: diastolic 151"),
        ((90.0, 90.0), "inconsistent: "),
        ((90.0, 120.0), "inconsistent: "),
    ];
    let pressures: Value = (0..)
        .zip(cases)
        .map(|(day, ((systolic, diastolic), _))| {
            let mut record = Reading::daily("manual", "blood_pressure", "mmHg", day, 0.0).record();
            record["value"] = json!({"systolic": systolic, "diastolic": diastolic});
            record
        })
        .collect();
    ingest(&mut db.api(person.caller()), person.profile_id, &pressures).expect("pressures come in");
    db.run_jobs();
    for ((status, reason), (pressure, expected)) in verdicts(&db).into_iter().zip(cases) {
        let verdict = reason.unwrap_or(status);
        assert!(verdict.starts_with(expected), "{pressure:?}: {verdict}");
    }
}

#[test]
fn what_contradicts_itself_is_rejected_with_the_reason() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let soon = json!((jiff::Timestamp::now() + jiff::SignedDuration::from_hours(12)).to_string());
    let later = json!((jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string());
    // What the row says beside or instead of a plain reading, and the verdict.
    let cases = [
        ("stress", json!({"value_num": null, "value_text": "unavailable"}), "unavailable: "),
        ("stress", json!({"value_num": 20, "value_text": "unavailable"}), "inconsistent: "),
        ("stress", json!({"value_num": null, "value_text": "calm"}), "missing_field: "),
        ("blood_pressure", json!({"value_num": 120}), "inconsistent: "),
        ("blood_pressure", json!({"value_num": 120, "value_text": "130/80"}), "inconsistent: "),
        ("blood_pressure", json!({"value_num": 120, "value_text": "120/80/60"}), "inconsistent: "),
        ("blood_pressure", json!({"value_num": 120, "value_text": "120/NaN"}), "out_of_range: diastolic"),
        ("blood_pressure", json!({"value_num": 120, "value_text": "120/80"}), "validated"),
        ("sleep", json!({"value_num": 0, "end_time": "start"}), "invalid_period: "),
        ("sleep", json!({"value_num": 61, "end_time": "hour"}), "inconsistent: "),
        ("sleep", json!({"value_num": 60, "end_time": "hour"}), "validated"),
        ("weight", json!({"value_num": 80, "end_time": null}), "validated"),
        ("weight", json!({"value_num": 80, "start_time": soon, "end_time": null}), "validated"),
        ("weight", json!({"value_num": 80, "start_time": later, "end_time": null}), "in_future: "),
        // Nor does it help to say that it was recorded in the future.
        (
            "hr",
            json!({"value_num": 60, "start_time": later, "end_time": null, "recorded_at": "2100-01-01"}),
            "in_future: ",
        ),
    ];
    let mut phone = db.api(person.caller());
    for (day, (metric, fields, expected)) in (0..).zip(&cases) {
        let reading = Reading::daily("garmin", metric, "count", day, 0.0);
        let mut row = reading.row(person);
        row.as_object_mut().expect("a row").extend([("value_text".to_owned(), Value::Null)]);
        row["unit"] = match *metric {
            "stress" => json!("score"),
            "blood_pressure" => json!("mmHg"),
            "sleep" => json!("min"),
            "weight" => json!("kg"),
            _ => json!("bpm"),
        };
        row.as_object_mut().expect("a row").extend(fields.as_object().expect("fields").clone());
        match row["end_time"].as_str() {
            Some("start") => row["end_time"] = row["start_time"].clone(),
            Some("hour") => {
                row["end_time"] =
                    Reading::steps("garmin", day, 0.0).hours(0, 1).row(person)["end_time"].clone()
            }
            _ => {}
        }
        upsert(&mut phone, from_ref(&row)).unwrap_or_else(|error| panic!("{row}: {error}"));
        db.run_jobs();
        let found = db
            .admin()
            .query_one(
                "delete from public.wt_health_metrics returning coalesce(rejection_reason, validation_status::text)",
                &[],
            )
            .expect("the one reading");
        let verdict: &str = found.get(0);
        assert!(verdict.starts_with(expected), "{metric} {fields}: {verdict}, not {expected}");
    }
}

#[test]
fn a_rejected_reading_stays_and_comes_back_when_it_is_corrected() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let (mut admin, mut phone) = (db.admin(), db.api(person.caller()));
    let wrong = Reading::steps("garmin", 0, 200_000.0);
    ingest(&mut phone, person.profile_id, &records(from_ref(&wrong))).expect("comes in");
    assert_eq!(db.run_jobs()["judged"], 1);
    let rejected = versions(&mut admin, person);

    // Sent again as it was, it stays rejected and costs nothing.
    ingest(&mut phone, person.profile_id, &records(from_ref(&wrong))).expect("comes in");
    upsert(&mut phone, &[wrong.row(person)]).expect("comes in");
    assert_eq!(db.run_jobs()["judged"], 0);
    assert_eq!(versions(&mut admin, person), rejected);
    let row = &table(&mut admin, person, &[])[0];
    assert_eq!(row["rejection_reason"], "out_of_range: steps 200000 is outside 0..100000 count");
    assert_eq!((&row["value_num"], &row["is_primary"]), (&json!(200_000), &json!(false)));

    ingest(&mut phone, person.profile_id, &records(&[Reading { value: 20_000.0, ..wrong }]))
        .expect("comes in");
    let row = &table(&mut admin, person, &[])[0];
    assert_eq!((&row["validation_status"], &row["rejection_reason"]), (&json!("raw"), &Value::Null));
    assert_eq!(db.run_jobs()["judged"], 1);
    let row = &table(&mut admin, person, &[])[0];
    assert_eq!((&row["validation_status"], &row["is_primary"]), (&json!("validated"), &json!(true)));
}

#[test]
fn the_scheduled_job_lets_people_go_between_its_portions() {
    let db = TestDb::new();
    let person = db.sign_up("much@example.com");
    let readings: Vec<_> = (-5_000..0).map(|day| Reading::steps("garmin", day, 1.0)).collect();
    ingest(&mut db.api(person.caller()), person.profile_id, &records(&readings)).expect("comes in");
    let command: String = db
        .admin()
        .query_one("select command from cron.job where jobname = 'welltrack-health-jobs'", &[])
        .expect("it is scheduled")
        .get(0);
    db.owner().batch_execute(&command).expect("the job runs");
    let row = db
        .admin()
        .query_one(
            "select (select count(*) from public.wt_health_metrics where validation_status = 'raw'),
                    (select max(portion) from (select count(*) as portion from public.wt_health_metrics group by xmin::text) p),
                    (select count(*) from public.wt_baselines where is_stale),
                    (select count(*) from public.wt_daily_values)",
            &[],
        )
        .expect("readable");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(2), row.get::<_, i64>(3)), (0, 0, 5_000));
    assert!(row.get::<_, i64>(1) <= 2_000, "{} rows were held at once", row.get::<_, i64>(1));
}

#[test]
fn overlapping_jobs_share_the_work_and_judge_nothing_twice() {
    let db = TestDb::new();
    const PEOPLE: i64 = 20;
    const READINGS: i64 = 40;
    for person in 0..PEOPLE {
        let person = db.sign_up(&format!("{person}@example.com"));
        let readings: Vec<_> = (0..READINGS).map(|day| Reading::steps("garmin", day, 1.0)).collect();
        ingest(&mut db.api(person.caller()), person.profile_id, &records(&readings)).expect("comes in");
    }
    // A job that is under way makes another one skip what it holds, not wait for it.
    let (mut first, mut second) = (db.owner(), db.api(Caller::Service));
    let judge = "select public.validate_pending_metrics($1)";
    first.batch_execute("begin").expect("alive");
    let held: i32 = first.query_one(judge, &[&100]).expect("judges").get(0);
    let rest: i32 = second.query_one(judge, &[&100_000]).expect("does not wait").get(0);
    assert_eq!(held, 100);
    assert!(rest > 0 && i64::from(rest) <= PEOPLE * READINGS - 100, "{rest}");
    first.batch_execute("rollback").expect("alive");

    // What was rolled back is raw again; three jobs at once finish it.
    let left = PEOPLE * READINGS - i64::from(rest);
    let start = Barrier::new(3);
    let judged: i64 = thread::scope(|scope| {
        let jobs: Vec<_> = (0..3)
            .map(|_| {
                let (mut client, mut admin, start) = (db.owner(), db.admin(), &start);
                scope.spawn(move || {
                    let raw = "select count(*) from public.wt_health_metrics where validation_status = 'raw'";
                    let mut judged = 0;
                    start.wait();
                    while admin.query_one(raw, &[]).expect("readable").get::<_, i64>(0) > 0 {
                        judged += i64::from(client.query_one(judge, &[&7]).expect("judges").get::<_, i32>(0));
                    }
                    judged
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().expect("no panic")).sum()
    });
    assert_eq!(judged, left);
    assert!(verdicts(&db).iter().all(|(status, _)| status == "validated"));
    for limit in [0, -5] {
        assert_eq!(second.query_one(judge, &[&limit]).expect("judges").get::<_, i32>(0), 0);
    }
}

#[test]
fn a_reading_is_judged_by_what_it_says_when_its_writer_is_done() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let reading = |value| records(&[Reading::steps("garmin", 0, value)]);
    ingest(&mut phone, person.profile_id, &reading(10.0)).expect("comes in");
    phone.batch_execute("begin").expect("alive");
    ingest(&mut phone, person.profile_id, &reading(200_000.0)).expect("comes in");
    assert_eq!(db.run_jobs()["judged"], 0, "somebody is writing it");
    phone.batch_execute("commit").expect("alive");
    assert_eq!(db.run_jobs()["judged"], 1);
    assert_eq!(verdicts(&db)[0].0, "rejected");
}
