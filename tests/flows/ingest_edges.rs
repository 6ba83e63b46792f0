//! Where the doors could disagree, or one of them be broken in: odd times, missing ends, numbers that grow when written out,
//! halves in another order, rows that change their name.
//!
//! Promises: each case is the same reading with the same verdict by every door. Stops at single cases: what holds for any reading is
//! in `ingest_doors`.

use crate::days::values;
use crate::readings::{Reading, counts, ingest, ingest_text, table, upsert};
use serde_json::{Value, json};
use welltrack_tests::{Person, TestDb, sqlstate};

/// The row of a record of one instant, as a client would upsert it, without its end where it has none.
fn row(person: Person, metric: &str, value: f64, unit: &str, start: &str) -> Value {
    json!({"user_id": person.user_id, "profile_id": person.profile_id, "source": "manual", "metric_type": metric,
           "value_num": value, "unit": unit, "start_time": start})
}

#[test]
fn a_time_finer_than_a_microsecond_is_the_same_reading_by_any_door() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    for (nth, fraction) in
        ["1234567", "1234565", "1234575", "999999500", "0000004999"].into_iter().enumerate()
    {
        let start = format!("2026-03-{:02}T10:00:00.{}Z", nth + 1, &fraction[..fraction.len().min(9)]);
        let end = format!("2026-03-{:02}T11:00:00Z", nth + 1);
        let record = json!([{"source": "manual", "type": "steps", "value": 500, "start_time": start, "end_time": end}]);
        ingest(&mut phone, ada.profile_id, &record).expect("comes in");
        let mut upserted = row(ada, "steps", 600.0, "count", &start);
        upserted["end_time"] = json!(end);
        upsert(&mut phone, &[upserted]).expect("comes in");
        let rows = table(&mut db.admin(), ada, &[]);
        assert_eq!(rows.len(), nth + 1, "{start}: {rows:?}");
        assert!(rows.iter().all(|row| row["value_num"] == 600), "{rows:?}");
    }
}

#[test]
fn without_an_end_a_sample_is_an_instant_and_a_sum_is_refused_by_any_door() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let start = "2026-03-01T10:00:00Z";
    let record = |metric: &str, value: f64| json!({"source": "manual", "type": metric, "value": value, "start_time": start});
    let answer =
        ingest(&mut phone, ada.profile_id, &json!([record("weight", 80.0), record("distance", 900.0)]));
    assert_eq!(counts(&answer.expect("comes in")), [1, 0, 0, 0, 1]);

    // The same weighing, corrected.
    upsert(&mut phone, &[row(ada, "weight", 90.0, "kg", start)]).expect("comes in");
    let rows = table(&mut db.admin(), ada, &[]);
    assert_eq!((rows.len(), &rows[0]["value_num"]), (1, &json!(90)), "{rows:?}");
    for metric in ["distance", "steps", "sleep", "calories", "active_minutes"] {
        assert_eq!(sqlstate(upsert(&mut phone, &[row(ada, metric, 9.0, "x", start)])), "23502", "{metric}");
    }
    let take_away = "update public.wt_health_metrics set end_time = null where metric_type = $1::text::public.wt_metric_type";
    phone.execute(take_away, &[&"weight"]).expect("nothing changes");
    assert_eq!(table(&mut db.admin(), ada, &[])[0]["end_time"], rows[0]["end_time"]);
    upsert(&mut phone, &[Reading::steps("manual", 0, 5.0).row(ada)]).expect("comes in");
    assert_eq!(sqlstate(phone.execute(take_away, &[&"steps"])), "23502");
}

#[test]
fn a_reading_that_moves_to_a_later_day_is_not_in_the_future_because_it_was_made_long_ago() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let instant =
        |days: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days)).to_string();
    let named = |start: &str| {
        let mut named = row(ada, "weight", 81.0, "kg", start);
        named["source_record_id"] = json!("w");
        named
    };
    upsert(&mut phone, &[named(&instant(9))]).expect("comes in");
    db.run_jobs();
    // Time passes.
    db.admin()
        .batch_execute(
            "set session_replication_role = replica;
             update public.wt_health_metrics set created_at = now() - interval '8 days', updated_at = now() - interval '8 days'",
        )
        .expect("the stage can be set");
    upsert(&mut phone, &[named(&instant(2))]).expect("comes in");
    db.run_jobs();
    let rows = table(&mut db.admin(), ada, &[]);
    assert_eq!((rows.len(), &rows[0]["validation_status"]), (1, &json!("validated")), "{rows:?}");
}

#[test]
fn a_small_batch_whose_numbers_are_a_gigabyte_written_out_is_too_large() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let batch = |records: usize, number: &str| {
        let record = format!(
            r#"{{"source":"manual","type":"weight","value":80,"start_time":"2026-03-01T10:00:00Z","x":{number}}}"#
        );
        format!("[{}]", vec![record; records].join(","))
    };
    assert_eq!(sqlstate(ingest_text(&mut phone, ada.profile_id, &batch(9_000, "1e131000"))), "PT413");
    assert_eq!(sqlstate(ingest_text(&mut phone, ada.profile_id, &batch(9_000, "1e-16000"))), "PT413");
    assert_eq!(table(&mut db.admin(), ada, &[]).len(), 0);
    let answer = ingest_text(&mut phone, ada.profile_id, &batch(100, "1e131000")).expect("not too large");
    assert_eq!(counts(&answer), [1, 0, 0, 99, 0]);
}

#[test]
fn the_halves_of_a_blood_pressure_may_change_places() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let half = |side: &str, value: f64| {
        json!({"id": side, "source": "healthkit", "type": format!("blood_pressure_{side}"), "value": value,
               "start_time": "2026-03-01T10:00:00Z"})
    };
    let [systolic, diastolic] = [half("systolic", 120.0), half("diastolic", 80.0)];
    let mut send = |records: Value| counts(&ingest(&mut phone, ada.profile_id, &records).expect("comes in"));
    assert_eq!(send(json!([systolic, diastolic])), [1, 0, 0, 1, 0]);
    assert_eq!(send(json!([diastolic, systolic])), [0, 0, 1, 1, 0]);
    assert_eq!(table(&mut db.admin(), ada, &[])[0]["raw_payload_json"]["id"], "systolic");
}

#[test]
fn a_row_keeps_its_id_so_that_no_change_escapes_the_audit_trail() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let made: uuid::Uuid = phone
        .query_one("insert into public.wt_profiles (display_name) values ('Kid') returning id", &[])
        .expect("a profile")
        .get(0);
    let kept: uuid::Uuid = phone
        .query_one(
            "update public.wt_profiles set id = gen_random_uuid(), weight_kg = 33 where id = $1 returning id",
            &[&made],
        )
        .expect("a change")
        .get(0);
    assert_eq!(kept, made);
    let told = phone
        .query_one(
            "select changed_columns from public.wt_audit_log where operation = 'UPDATE' and $1 = any (row_ids)",
            &[&made],
        )
        .expect("it is told");
    assert_eq!(told.get::<_, Vec<String>>(0), ["weight_kg"]);
}

#[test]
fn an_account_of_more_than_a_quarter_of_a_gigabyte_can_be_exported() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    db.admin()
        .execute(
            "insert into public.wt_health_metrics
               (user_id, profile_id, source, metric_type, value_num, unit, start_time, raw_payload_json)
             select $1, $2, 'manual', 'weight', 80, 'kg', timestamptz '2026-01-01 UTC' + make_interval(hours => n),
                    jsonb_build_object('x', repeat('x', 4000000))
             from generate_series(1, 75) n",
            &[&ada.user_id, &ada.profile_id],
        )
        .expect("the stage can be set");
    let mut phone = db.api(ada.caller());
    // As PostgREST does for a function that says so.
    phone.batch_execute("set statement_timeout = '2min'").expect("a setting can be set");
    let length: i32 =
        phone.query_one("select length(public.export_my_data()::text)", &[]).expect("an export").get(0);
    assert!(length > 300_000_000, "{length}");
}

#[test]
fn a_zone_that_is_an_abbreviation_too_has_its_summer() {
    let db = TestDb::new();
    let ada =
        db.sign_up_with(&json!({"email": "ada@example.com", "raw_user_meta_data": {"timezone": "CET"}}));
    let mut phone = db.api(ada.caller());
    let zone: String = phone.query_one("select timezone from public.wt_users", &[]).expect("her row").get(0);
    assert_eq!(zone, "Europe/Brussels");
    assert_eq!(sqlstate(phone.execute("update public.wt_users set timezone = 'eet'", &[])), "23514");
    // Half past midnight in summer.
    let record =
        json!([{"source": "manual", "type": "weight", "value": 80, "start_time": "2025-07-01T22:30:00Z"}]);
    ingest(&mut phone, ada.profile_id, &record).expect("comes in");
    db.run_jobs();
    assert_eq!(values(&db, ada).into_keys().collect::<Vec<_>>(), ["2025-07-02"]);
}
