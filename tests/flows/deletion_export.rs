//! What a person can take along, and what is left when they go: everything, and nothing.
//!
//! Promises: both are checked against the catalogue, so that a new table can't be forgotten. Stops at the format of the
//! export beyond its frame: its rows are the tables' own.

use postgres::{Client, NoTls};
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::catalogue::tables;
use welltrack_tests::rows::Rows;
use welltrack_tests::{Caller, Person, TestDb, become_caller, sqlstate};

/// Two people with a row in every table, readings that went through the door, and what follows from them.
fn full_house(db: &TestDb) -> (Person, Person) {
    let people = (db.sign_up("ada@example.org"), db.sign_up("grace@example.org"));
    let mut rows = Rows::new(db);
    for person in [people.0, people.1] {
        for (n, table) in (1..).zip(rows.tables()) {
            rows.make(&table.name, person, n);
        }
        ingest(&mut db.api(person.caller()), person);
        db.api(person.caller())
            .execute("update public.wt_profiles set fitness_goals = '{run}'", &[])
            .expect("people are onboarded");
    }
    db.run_jobs();
    people
}

fn ingest(client: &mut Client, person: Person) {
    let records: Vec<Value> = (1..=28)
        .map(|day| {
            json!({"source": "healthkit", "type": "steps", "value": day, "id": format!("record {day}"),
                   "start_time": format!("2026-02-{day:02}T00:00:00Z"), "end_time": format!("2026-02-{day:02}T23:59:59Z")})
        })
        .collect();
    let answer: Value = client
        .query_one("select public.ingest_health_metrics($1, $2)", &[&person.profile_id, &json!(records)])
        .expect("the batch is taken")
        .get(0);
    assert_eq!(answer["inserted"], records.len(), "{answer}");
}

/// The ids by which a person is known: their own and those of their profiles.
fn ids_of(admin: &mut Client, person: Person) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = admin
        .query("select id from public.wt_profiles where user_id = $1", &[&person.user_id])
        .expect("the superuser reads everything")
        .iter()
        .map(|row| row.get(0))
        .collect();
    ids.push(person.user_id);
    ids
}

/// Every row of the project's schemas and of the users, as text, with its table's name.
fn everything(admin: &mut Client) -> Vec<String> {
    let tables = admin
        .query(
            "select oid::regclass::text from pg_class
             where relnamespace in ('public'::regnamespace, 'wt_private'::regnamespace, 'auth'::regnamespace)
               and relkind in ('r', 'm') order by 1",
            &[],
        )
        .expect("the catalogue lists the tables");
    let mut rows = Vec::new();
    for table in &tables {
        let table: String = table.get(0);
        let found = admin
            .query(&format!("select $1 || ' ' || t::text from {table} t order by 1"), &[&table])
            .expect("the superuser reads everything");
        rows.extend(found.iter().map(|row| row.get::<_, String>(0)));
    }
    rows
}

fn delete_user(db: &TestDb, person: Person) {
    let mut gotrue = db.config_as("supabase_auth_admin").connect(NoTls).expect("GoTrue's role may connect");
    let gone = gotrue.execute("delete from auth.users where id = $1", &[&person.user_id]);
    assert_eq!(gone.expect("GoTrue deletes users"), 1);
}

#[test]
fn deleting_the_user_leaves_nothing_of_theirs_and_everything_of_others() {
    let db = TestDb::new();
    let (ada, grace) = full_house(&db);
    let mut admin = db.admin();
    let ids: Vec<String> = ids_of(&mut admin, ada).iter().map(Uuid::to_string).collect();
    let is_adas = |row: &String| ids.iter().any(|id| row.contains(id));
    let before = everything(&mut admin);

    // The stage is what it should be: a row of each in every table that people have rows in.
    for table in tables(&mut admin).iter().filter(|table| table.has_tenant()) {
        for person in [ada, grace] {
            let count: i64 = admin
                .query_one(
                    &format!("select count(*) from public.{} where user_id = $1", table.name),
                    &[&person.user_id],
                )
                .expect("the superuser reads everything")
                .get(0);
            assert!(count > 0, "{} was left empty", table.name);
        }
    }
    assert!(before.iter().any(is_adas));

    delete_user(&db, ada);
    let others: Vec<String> = before.into_iter().filter(|row| !is_adas(row)).collect();
    let after = everything(&mut admin);
    let left: Vec<&String> = after.iter().filter(|row| is_adas(row)).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(after, others);
}

#[test]
fn a_token_that_outlives_its_person_reads_nothing_and_writes_nothing() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut client = db.api(ada.caller());
    delete_user(&db, ada);
    let export: Value =
        client.query_one("select public.export_my_data()", &[]).expect("there is nothing").get(0);
    assert_eq!(export["account"], Value::Null);
    assert!(export["tables"].as_object().expect("tables").values().all(|rows| rows == &json!([])));
    let profile = client.execute("insert into public.wt_profiles (display_name) values ('Ghost')", &[]);
    assert_eq!(sqlstate(profile), "23503");
    let log = client.execute(
        "insert into public.wt_daily_logs (profile_id, log_date) values ($1, '2026-01-01')",
        &[&ada.profile_id],
    );
    assert_eq!(sqlstate(log), "23503");
    let reading = client.query("select public.ingest_health_metrics($1, '[]')", &[&ada.profile_id]);
    assert_eq!(sqlstate(reading), "PT404");
}

fn export(client: &mut Client) -> Value {
    client.query_one("select public.export_my_data()", &[]).expect("people export their data").get(0)
}

#[test]
fn the_export_is_every_row_of_mine_and_no_row_of_others() {
    let db = TestDb::new();
    let (ada, grace) = full_house(&db);
    let mut admin = db.admin();
    let export = export(&mut db.api(ada.caller()));
    assert_eq!(export["format"], "welltrack-export/1");
    assert_eq!(export["user_id"], json!(ada.user_id));
    assert_eq!(export["account"]["email"], "ada@example.org");
    let exported = export["tables"].as_object().expect("the tables by name");

    let mut mine = Vec::new();
    let credentials = ["wt_connection_tokens", "wt_oauth_states"];
    for table in
        tables(&mut admin).iter().filter(|t| t.has_tenant() && !credentials.contains(&t.name.as_str()))
    {
        let rows: Value = admin
            .query_one(
                &format!(
                    "select coalesce(jsonb_agg(to_jsonb(t) order by t.created_at, t.id), '[]')
                     from public.{} t where t.user_id = $1",
                    table.name
                ),
                &[&ada.user_id],
            )
            .expect("the superuser reads everything")
            .get(0);
        assert_ne!(rows, json!([]), "{} was left empty", table.name);
        assert_eq!(exported.get(&table.name), Some(&rows), "{}", table.name);
        mine.push(table.name.clone());
    }
    assert_eq!(exported.keys().collect::<Vec<_>>(), mine.iter().collect::<Vec<_>>());

    let text = export.to_string();
    for id in ids_of(&mut admin, grace) {
        assert!(!text.contains(&id.to_string()), "somebody else's {id}");
    }
}

#[test]
fn the_export_holds_no_provider_token() {
    let db = TestDb::new();
    let (ada, _) = full_house(&db);
    let set = "update public.wt_connection_tokens set access_token_encrypted = 's3cret-access',
               refresh_token_encrypted = 's3cret-refresh', key_id = 's3cret-key'";
    db.admin().execute(set, &[]).expect("the stage is set");
    let text = export(&mut db.api(ada.caller())).to_string();
    let hex = |secret: &str| secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in ["s3cret".to_owned(), hex("s3cret"), "token_encrypted".to_owned()] {
        assert!(!text.contains(&secret), "{secret}");
    }
}

#[test]
fn nobody_exports_without_being_somebody() {
    let db = TestDb::new();
    assert_eq!(sqlstate(db.api(Caller::Anon).query("select public.export_my_data()", &[])), "42501");
    assert_eq!(sqlstate(db.api(Caller::Service).query("select public.export_my_data()", &[])), "PT401");
    // A token without a subject: signed in as nobody.
    let mut nobody = db.api(Caller::Person(Uuid::nil()));
    nobody
        .execute("select set_config('request.jwt.claims', '{\"role\": \"authenticated\"}', false)", &[])
        .expect("claims can be set");
    assert_eq!(sqlstate(nobody.query("select public.export_my_data()", &[])), "PT401");
    for table in tables(&mut db.admin()).iter().filter(|table| table.has_tenant()) {
        let seen = nobody.query(&format!("select id from public.{}", table.name), &[]);
        assert!(seen.is_ok_and(|rows| rows.is_empty()) || service_only(&table.name), "{}", table.name);
    }
}

fn service_only(table: &str) -> bool {
    crate::classes::class_of(table).is_some_and(|class| class.name == "service")
}

#[test]
fn twenty_thousand_readings_are_exported_within_the_api_s_time_limit() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut client = db.api(ada.caller());
    let readings =
        "insert into public.wt_health_metrics (profile_id, source, metric_type, value_num, start_time, end_time)
                    select $1, 'manual', 'steps', n, t, t + interval '1 minute'
                    from generate_series(1, 20000) n, lateral (select timestamptz '2026-01-01Z' + n * interval '1 minute') s (t)";
    client.execute(readings, &[&ada.profile_id]).expect("the readings are taken");
    let limit: String = client.query_one("show statement_timeout", &[]).expect("a setting is shown").get(0);
    assert_eq!(limit, "8s", "the API's own limit holds here");
    let export = export(&mut client);
    assert_eq!(export["tables"]["wt_health_metrics"].as_array().map(Vec::len), Some(20_000));
    // The same connection goes on to serve somebody else.
    become_caller(&mut client, Caller::Anon);
    assert_eq!(sqlstate(client.query("select public.export_my_data()", &[])), "42501");
}
