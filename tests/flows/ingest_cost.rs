//! What a batch costs follows from the batch: neither from what its person sent before nor from how many people there are.
//!
//! Promises: rows read, as Postgres counts them inside the transaction, so nothing here depends on a clock. Stops at the
//! batch door with named records; the benchmark measures time.

use crate::readings::{counts, ingest};
use postgres::Client;
use serde_json::{Value, json};
use welltrack_tests::{Person, TestDb};

/// Steps of `days` days from the first of `year`, `extra` more of them each.
fn days(year: u32, days: usize, extra: usize) -> Value {
    (0..days)
        .map(|n| {
            let day = format!("{}-{:02}-{:02}", year as usize + n / 336, 1 + n / 28 % 12, 1 + n % 28);
            json!({"id": format!("walk-{day}"), "source": "healthkit", "type": "steps", "value": 1000 + n + extra,
                   "unit": "count", "start_time": format!("{day}T08:00:00Z"), "end_time": format!("{day}T09:00:00Z")})
        })
        .collect()
}

/// How many rows of readings and of `auth.users` a batch of changed records makes Postgres fetch.
fn fetched(phone: &mut Client, person: Person, batch: &Value) -> (i64, i64) {
    let rows =
        "select idx_tup_fetch + seq_tup_read from pg_stat_xact_all_tables where relid = $1::text::regclass";
    phone.batch_execute("begin").expect("a transaction begins");
    let before = ["public.wt_health_metrics", "auth.users"]
        .map(|table| phone.query_one(rows, &[&table]).expect("it is counted").get::<_, i64>(0));
    let answer = ingest(phone, person.profile_id, batch).expect("a good batch");
    let after = ["public.wt_health_metrics", "auth.users"]
        .map(|table| phone.query_one(rows, &[&table]).expect("it is counted").get::<_, i64>(0));
    phone.batch_execute("commit").expect("the batch is kept");
    let sent = batch.as_array().expect("a list").len() as u64;
    assert_eq!(counts(&answer), [0, sent, 0, 0, 0], "{answer}");
    (after[0] - before[0], after[1] - before[1])
}

#[test]
fn changed_records_read_neither_a_long_history_nor_everybody() {
    const SENT: i64 = 20;
    let db = TestDb::new();
    let mut admin = db.admin();
    let ada = db.sign_up("ada@example.org");
    let mut phone = db.api(ada.caller());
    admin
        .execute(
            "insert into auth.users (id, aud, role, email)
             select gen_random_uuid(), 'authenticated', 'authenticated', n || '@example.org'
             from generate_series(1, 1000) n",
            &[],
        )
        .expect("people sign up");
    for batch in [days(1980, 2000, 0), days(2026, 20, 0)] {
        ingest(&mut phone, ada.profile_id, &batch).expect("a good batch");
    }
    db.run_jobs();
    admin.batch_execute("analyze").expect("statistics are made");

    // One connection planned its statements while the tables were empty, the other one sees them full.
    for (mut phone, edition) in [(phone, 1), (db.api(ada.caller()), 2)] {
        for extra in 1..=3 {
            let (readings, people) = fetched(&mut phone, ada, &days(2026, 20, 10 * edition + extra));
            assert!(readings <= 10 * SENT, "{readings} rows were fetched for {SENT} records");
            assert!(people <= 4, "{people} people were looked up for one person's records");
        }
    }
}
