//! The audit trail and the error log.
//!
//! Promises: every change of an audited table is on record with who, what, when and which columns, in one row for a
//! statement and person; the error log keeps no secret and no reading. Stops at who may read and write the two tables:
//! that is the matrix's.

use crate::classes::{Outcome, class_of, outcome};
use postgres::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;
use welltrack_tests::rows::{Rows, id_of, insert};
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

/// The tables that hold health, plans, connections and limits, and for each a change and the columns it changes.
#[rustfmt::skip]
const AUDITED: &[(&str, &str, &[&str])] = &[
    ("wt_ai_plan_limits",     "daily_calls = 7",                       &["daily_calls"]),
    ("wt_daily_logs",         "mood = 5, energy = 6",                  &["mood", "energy"]),
    ("wt_goals",              "target_value = 77, deadline = '2030-01-01'", &["target_value", "deadline"]),
    ("wt_health_connections", "is_connected = false, scopes = '{a}'",  &["scopes", "is_connected"]),
    ("wt_health_metrics",     "value_num = 51",                        &["value_num"]),
    ("wt_plan_items",         "completed = true, sort_order = 9",      &["completed", "sort_order"]),
    ("wt_plans",              "status = 'active'",                     &["status"]),
    ("wt_profiles",           "height_cm = 170, allergies = '{nuts}'", &["height_cm", "allergies"]),
    ("wt_users",              "display_name = 'Ada L.'",               &["display_name"]),
    ("wt_workouts",           "notes = 'hot', duration_minutes = 31",  &["duration_minutes", "notes"]),
];

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    user_id: Option<Uuid>,
    actor_id: Option<Uuid>,
    actor_role: String,
    table: String,
    operation: String,
    row_ids: BTreeSet<Uuid>,
    changed: Option<Vec<String>>,
}

/// What has been recorded since the last call.
fn take_entries(admin: &mut Client) -> Vec<Entry> {
    let entry = |row: &postgres::Row| Entry {
        user_id: row.get(0),
        actor_id: row.get(1),
        actor_role: row.get(2),
        table: row.get(3),
        operation: row.get(4),
        row_ids: row.get::<_, Vec<Uuid>>(5).into_iter().collect(),
        changed: row.get(6),
    };
    let entries = admin.query(
        "with taken as (delete from public.wt_audit_log returning *)
         select user_id, actor_id, actor_role, table_name, operation, row_ids, changed_columns
         from taken where created_at between now() - interval '1 minute' and now() order by table_name, user_id",
        &[],
    );
    entries.expect("the superuser empties the log").iter().map(entry).collect()
}

#[test]
fn the_audited_tables_are_those_that_hold_health_plans_connections_and_limits() {
    let found = TestDb::new().admin().query(
        "select tgrelid::regclass::text from pg_trigger
         where tgfoid = 'wt_private.audit'::regproc and not tgisinternal and tgenabled = 'O' and tgtype & 1 = 0
         group by 1 having count(*) = 3 order by 1",
        &[],
    );
    let found: Vec<String> = found.expect("the catalogue can be read").iter().map(|row| row.get(0)).collect();
    assert_eq!(found, AUDITED.iter().map(|(table, ..)| *table).collect::<Vec<_>>());
}

#[test]
fn every_change_is_on_record_with_who_and_what_and_which_columns() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut rows = Rows::new(&db);
    let mut admin = db.admin();
    for (n, (table, change, columns)) in (1..).zip(AUDITED) {
        let class = class_of(table).expect("an audited table has a class");
        for (n, caller, marks) in
            [(2 * n, ada.caller(), class.owner), (2 * n + 1, Caller::Service, class.service)]
        {
            let mut client = db.api(caller);
            let (actor_id, actor_role) = match caller {
                Caller::Person(id) => (Some(id), "authenticated"),
                _ => (None, "service_role"),
            };
            let may = |operation| outcome(marks, operation) == Outcome::Done;
            // The account itself comes and goes with the auth user.
            let comes_and_goes = may(1) && may(3) && *table != "wt_users";
            let draft = rows.draft(table, ada, n);
            let id = if comes_and_goes { id_of(&draft) } else { rows.make(table, ada, n) };
            let expected = |operation: &str, changed: Option<Vec<String>>| {
                vec![Entry {
                    user_id: (class.name != "reference").then_some(ada.user_id),
                    actor_id,
                    actor_role: actor_role.to_owned(),
                    table: (*table).to_owned(),
                    operation: operation.to_owned(),
                    row_ids: BTreeSet::from([id]),
                    changed,
                }]
            };
            admin.execute("update public.wt_users set display_name = 'Ada'", &[]).expect("the stage is set");
            take_entries(&mut admin);
            if comes_and_goes {
                insert(&mut client, table, &draft).expect("the row is inserted");
                assert_eq!(take_entries(&mut admin), expected("INSERT", None));
            }
            if may(2) {
                client
                    .execute(&format!("update public.{table} set {change} where id = $1"), &[&id])
                    .expect("the row is updated");
                let changed = columns.iter().map(|column| (*column).to_owned()).collect();
                assert_eq!(take_entries(&mut admin), expected("UPDATE", Some(changed)));
                let again = format!("update public.{table} set {change} where id = $1");
                client.execute(&again, &[&id]).expect("the row is updated");
                assert_eq!(take_entries(&mut admin), [], "{table}: an update of nothing is no change");
            }
            if comes_and_goes {
                client
                    .execute(&format!("delete from public.{table} where id = $1"), &[&id])
                    .expect("it goes");
                assert_eq!(take_entries(&mut admin), expected("DELETE", None));
            }
        }
    }
}

#[test]
fn a_signup_and_a_profile_that_goes_leave_their_trail() {
    let db = TestDb::new();
    let mut admin = db.admin();
    take_entries(&mut admin);
    let ada = db.sign_up("ada@example.org");
    let by_signup: Vec<_> =
        take_entries(&mut admin).into_iter().map(|e| (e.table, e.actor_role, e.user_id)).collect();
    let made = |table: &str| (table.to_owned(), "supabase_auth_admin".to_owned(), Some(ada.user_id));
    assert_eq!(by_signup, [made("wt_profiles"), made("wt_users")]);

    let mut rows = Rows::new(&db);
    rows.make("wt_plan_items", ada, 1);
    take_entries(&mut admin);
    let gone = "delete from public.wt_profiles where not is_primary";
    db.api(ada.caller()).execute(gone, &[]).expect("a dependent goes");
    let cascade: Vec<_> =
        take_entries(&mut admin).into_iter().map(|e| (e.table, e.operation, e.actor_id)).collect();
    let went = |table: &str| (table.to_owned(), "DELETE".to_owned(), Some(ada.user_id));
    assert_eq!(cascade, [went("wt_plan_items"), went("wt_plans"), went("wt_profiles")]);
}

fn assert_one_entry(admin: &mut Client, person: Person, operation: &str, rows: usize) {
    let entries = take_entries(admin);
    assert_eq!(entries.len(), 1, "{operation}: {entries:?}");
    assert_eq!((entries[0].operation.as_str(), entries[0].user_id), (operation, Some(person.user_id)));
    assert_eq!(entries[0].row_ids.len(), rows);
}

#[test]
fn a_thousand_rows_in_one_statement_are_one_entry_for_each_person() {
    let db = TestDb::new();
    let (ada, grace) = (db.sign_up("ada@example.org"), db.sign_up("grace@example.org"));
    let mut admin = db.admin();
    take_entries(&mut admin);
    for person in [ada, grace] {
        let mut client = db.api(person.caller());
        let fill = "insert into public.wt_daily_logs (profile_id, log_date)
                    select $1, date '2020-01-01' + n from generate_series(1, 1000) n";
        client.execute(fill, &[&person.profile_id]).expect("a thousand days");
        assert_one_entry(&mut admin, person, "INSERT", 1000);
        client.execute("update public.wt_daily_logs set mood = 5", &[]).expect("a thousand moods");
        assert_one_entry(&mut admin, person, "UPDATE", 1000);
    }
    db.api(Caller::Service)
        .execute("update public.wt_daily_logs set water_ml = 9", &[])
        .expect("all of them");
    let entries = take_entries(&mut admin);
    let people: BTreeSet<_> = entries.iter().map(|entry| entry.user_id).collect();
    assert_eq!(people, BTreeSet::from([Some(ada.user_id), Some(grace.user_id)]));
    assert!(entries.len() == 2 && entries.iter().all(|entry| entry.row_ids.len() == 1000));

    // Rows that changed differently are told apart, within the one statement.
    db.api(ada.caller())
        .execute("update public.wt_daily_logs set mood = case when log_date < '2021-01-01' then 6 else 5 end, energy = 1", &[])
        .expect("all of hers");
    let mut changed: Vec<_> =
        take_entries(&mut admin).into_iter().map(|e| (e.changed, e.row_ids.len())).collect();
    changed.sort();
    let columns = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(changed, [(columns(&["energy"]), 635), (columns(&["mood", "energy"]), 365)]);
    db.api(ada.caller()).execute("delete from public.wt_daily_logs", &[]).expect("all of hers");
    assert_one_entry(&mut admin, ada, "DELETE", 1000);
}

#[test]
fn a_batch_of_readings_is_one_entry_and_bookkeeping_is_none() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut admin = db.admin();
    let mut client = db.api(ada.caller());
    let records: Vec<Value> = (0..1000)
        .map(|n| {
            let hour = format!("2026-{:02}-{:02}T{:02}", 1 + n / 672, 1 + n / 24 % 28, n % 24);
            json!({"source": "healthkit", "type": "steps", "value": n, "unit": "count",
                   "start_time": format!("{hour}:00:00Z"), "end_time": format!("{hour}:59:59Z")})
        })
        .collect();
    take_entries(&mut admin);
    let mut send = || {
        client
            .query_one("select public.ingest_health_metrics($1, $2)", &[&ada.profile_id, &json!(records)])
            .expect("the batch is taken")
            .get::<_, Value>(0)
    };
    let answer = send();
    assert_eq!(answer["inserted"], 1000, "{answer}");
    assert_one_entry(&mut admin, ada, "INSERT", 1000);
    assert_eq!(send()["unchanged"], 1000);
    assert_eq!(take_entries(&mut admin), [], "nothing changed");

    let mut service = db.api(Caller::Service);
    for bookkeeping in [
        "update public.wt_health_metrics set is_primary = not is_primary",
        "update public.wt_health_metrics set processing_status = 'error'",
        "update public.wt_health_connections set last_sync_at = now()",
        "update public.wt_daily_logs set mood = 1 where false",
        "delete from public.wt_daily_logs where false",
    ] {
        service.execute(bookkeeping, &[]).expect("the service writes");
        assert_eq!(take_entries(&mut admin), [], "{bookkeeping}");
    }
    db.run_jobs();
    let judged = take_entries(&mut admin);
    assert_eq!(judged.len(), 1, "{judged:?}");
    assert_eq!(judged[0].changed, Some(vec!["validation_status".to_owned()]));
    assert_eq!((judged[0].actor_id, judged[0].actor_role.as_str()), (None, "postgres"));
}

fn log_error(client: &mut Client, error: &Value) -> Result<Uuid, postgres::Error> {
    let answer: Value = client.query_one("select public.log_error($1)", &[error])?.get(0);
    Ok(answer["id"].as_str().and_then(|id| id.parse().ok()).expect("the answer names the entry"))
}

#[test]
fn the_error_log_keeps_no_secret_no_address_and_no_reading() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut service = db.api(Caller::Service);
    let id = log_error(&mut service, &json!({
        "flow": "strava-webhook", "error_code": "refresh_failed", "retriable": true, "user_id": ada.user_id,
        "message": "POST https://api.example.org/token?code=s3cret&client_secret=s3cret: 401, \
                    sent Authorization: Bearer s3cret.s3cret and eyJhbGciOiJIUzI1NiJ9.s3cret.x to https://me:s3cret@example.org/",
        "context": {
            "attempt": 3, "status": 401, "event_type": "create", "fatal": false, "nothing": null,
            "url": "https://example.org/?access_token=s3cret\"&x=1", "header": "bearer  s3cret_s3cret",
            "access_token": "s3cret", "refreshToken": "s3cret", "client-secret": "s3cret", "API-Key": "s3cret",
            "password": "s3cret", "Authorization": "s3cret", "Cookie": "s3cret", "jwt": "s3cret", "credentials": "s3cret",
            "email": "s3cret", "phone_number": "s3cret", "payload": "s3cret", "request_body": "s3cret",
            "value_num": 80.5, "weight_kg": 80.5, "steps": 80.5, "avg_hr": 80.5, "hr": 80.5, "resting_heart_rate": 80.5,
            "sleep_minutes": 80.5, "systolic_pressure": 80.5, "nested": {"deep": "s3cret"}, "list": ["s3cret"]
        }})).expect("errors can be logged");
    let row = db
        .admin()
        .query_one("select user_id, retriable, message, context, to_jsonb(e)::text from public.wt_error_log e where id = $1", &[&id])
        .expect("the entry is there");
    assert_eq!(row.get::<_, Option<Uuid>>(0), Some(ada.user_id));
    assert!(row.get::<_, bool>(1));
    assert!(
        row.get::<_, String>(2).contains("POST https://api.example.org/token?[secret]&client_[secret] 401")
    );
    let context: Value = row.get(3);
    let kept: Vec<&str> = context.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(kept, ["attempt", "event_type", "fatal", "header", "nothing", "status", "url"]);
    assert_eq!(context["attempt"], 3);
    let everything: String = row.get(4);
    assert!(!everything.contains("s3cret") && !everything.contains("80.5"), "{everything}");
}

#[test]
fn logging_never_fails_for_being_verbose_or_for_somebody_who_is_gone() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let gone = Uuid::new_v4();
    let long: serde_json::Map<_, _> =
        (0..5000).map(|n| (format!("k{n}"), json!("token=a&".repeat(4)))).collect();
    let id = log_error(
        &mut service,
        &json!({"flow": "ingest", "error_code": "PT404", "message": "é".repeat(9000), "context": long, "user_id": gone}),
    )
    .expect("errors can be logged");
    let row = db
        .admin()
        .query_one(
            "select user_id, char_length(message), context, retriable from public.wt_error_log where id = $1",
            &[&id],
        )
        .expect("the entry is there");
    assert_eq!(row.get::<_, Option<Uuid>>(0), None);
    assert_eq!(row.get::<_, i32>(1), 2000);
    assert!(row.get::<_, Value>(2)["context_bytes"].as_u64().is_some_and(|bytes| bytes > 8000));
    assert!(!row.get::<_, bool>(3));
    // A context of the wrong shape is dropped; the error itself is worth keeping.
    for context in [json!("text"), json!([1]), json!(null), json!(7)] {
        let error =
            json!({"flow": "f", "error_code": "c", "message": "m", "context": context, "retriable": null});
        log_error(&mut service, &error).expect("errors can be logged");
    }
}

#[test]
fn what_is_no_error_report_is_answered_with_what_is_wrong_with_it() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let with = |key: &str, value: Value| {
        let mut error = json!({"flow": "ingest", "error_code": "E1", "message": "m"});
        error[key] = value;
        error
    };
    for (error, code) in [
        (json!(null), "22023"),
        (json!("text"), "22023"),
        (json!([1, 2]), "22023"),
        (json!(1), "22023"),
        (json!({}), "23502"),
        (with("flow", json!(null)), "23502"),
        (with("flow", json!("Not A Flow")), "23514"),
        (with("flow", json!({"a": 1})), "23514"),
        (with("error_code", json!("")), "23514"),
        (with("error_code", json!("x".repeat(65))), "23514"),
        (with("message", json!(null)), "23502"),
        (with("user_id", json!("nobody")), "22P02"),
        (with("retriable", json!("perhaps")), "22P02"),
    ] {
        assert_eq!(sqlstate(log_error(&mut service, &error)), code, "{error}");
    }
    let person = db.sign_up("ada@example.org");
    for caller in [Caller::Anon, person.caller()] {
        assert_eq!(
            sqlstate(log_error(&mut db.api(caller), &with("flow", json!("ingest")))),
            "42501",
            "{caller:?}"
        );
    }
    let kept: i64 =
        db.admin().query_one("select count(*) from public.wt_error_log", &[]).expect("it counts").get(0);
    assert_eq!(kept, 0);
}
