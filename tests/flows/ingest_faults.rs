//! A batch that is interrupted: its connection killed, its statement cancelled, at whatever instant.
//!
//! Promises: a batch is there as a whole or not at all, with its audit trail and its priorities, and sending it again
//! gives what it would have given at once. Instants with a name are held still by somebody else's lock; others are taken
//! by chance. Stops at the database process: losing the machine is Postgres's own promise.

use crate::readings::{Reading, counts, ingest, records, table};
use postgres::{Client, Error};
use serde_json::Value;
use std::thread;
use welltrack_tests::{Person, TestDb};

const RECORDS: i64 = 200;

/// A day of two sources, so that a batch also settles priorities; the value decides whether it changes an earlier one.
fn batch(value: f64) -> Value {
    let readings: Vec<_> = (0..RECORDS)
        .map(|n| {
            let reading = Reading::steps(["garmin", "manual"][n as usize % 2], 0, value).hours(n, n + 1);
            if n % 5 == 0 { reading.named(&format!("name-{n}")) } else { reading }
        })
        .collect();
    records(&readings)
}

/// What is left of a batch: its rows, how many of them don't count, and the audited statements.
fn traces(admin: &mut Client, person: Person) -> (Vec<Value>, i64) {
    let audited =
        "select count(*) from public.wt_audit_log where table_name = 'wt_health_metrics' and user_id = $1";
    let audited = admin.query_one(audited, &[&person.user_id]).expect("readable").get(0);
    (table(admin, person, &[]), audited)
}

fn pid(client: &mut Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).expect("alive").get(0)
}

/// Whether the backend waits for a lock.
fn stuck(admin: &mut Client, pid: i32) -> bool {
    let stuck = "select count(*) > 0 from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
    admin.query_one(stuck, &[&pid]).expect("alive").get(0)
}

/// Waits until the backend is gone, its transaction undone with it.
fn kill(admin: &mut Client, pid: i32) {
    admin.execute("select pg_terminate_backend($1)", &[&pid]).expect("a superuser may");
    let there = "select count(*) > 0 from pg_stat_activity where pid = $1";
    while admin.query_one(there, &[&pid]).expect("alive").get(0) {
        thread::yield_now();
    }
}

#[test]
fn a_connection_killed_in_the_middle_of_a_batch_leaves_nothing_of_it() {
    let db = TestDb::new();
    let mut admin = db.admin();
    // Who holds what, and so where the batch stands when it is killed.
    let instants = [
        ("before its person is held", "select from public.wt_users for update"),
        ("before its first row", "lock table public.wt_health_metrics in share mode"),
        // Somebody else's row with the identity of the 151st record, not yet committed: 150 rows are written by then.
        (
            "between two rows",
            "set session_replication_role = replica;
             insert into public.wt_health_metrics (user_id, profile_id, source, metric_type, value_num, unit, start_time,
                                                   end_time, local_date)
             select user_id, id, 'garmin', 'steps', 1, 'count', '2025-03-09T06:00Z', '2025-03-09T07:00Z', '2025-03-09'
             from public.wt_profiles",
        ),
        ("before its audit trail", "lock table public.wt_audit_log in share mode"),
        ("before it settles priorities", "lock table public.wt_baselines in access exclusive mode"),
    ];
    let person = db.sign_up("ada@example.com");
    // The first time the rows are new; the second time all of them change.
    for (round, value) in [(0, 1.0), (1, 2.0)] {
        for (instant, hold) in &instants {
            if round == 1 && *instant == "between two rows" {
                continue;
            }
            let before = traces(&mut admin, person);
            let mut holder = db.admin();
            holder.batch_execute(&format!("begin; {hold}")).expect("the stage is set");
            let mut phone = db.api(person.caller());
            let phone_pid = pid(&mut phone);
            let sent: Result<Value, Error> = thread::scope(|scope| {
                let sending = scope.spawn(move || ingest(&mut phone, person.profile_id, &batch(value)));
                while !sending.is_finished() && !stuck(&mut admin, phone_pid) {
                    thread::yield_now();
                }
                kill(&mut admin, phone_pid);
                sending.join().expect("no panic")
            });
            let error = sent.expect_err("the connection was killed");
            // Whether the server's last words still arrive is chance.
            let killed = error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01");
            assert!(killed, "{instant}: {error:?}");
            holder.batch_execute("rollback").expect("alive");
            assert_eq!(traces(&mut admin, person), before, "killed {instant}, round {round}");
        }

        let answer =
            ingest(&mut db.api(person.caller()), person.profile_id, &batch(value)).expect("the retry");
        let all = RECORDS as u64;
        let expected = if round == 0 { [all, 0, 0, 0, 0] } else { [0, all, 0, 0, 0] };
        assert_eq!(counts(&answer), expected, "round {round}");
        let (rows, _) = traces(&mut admin, person);
        let counting = rows.iter().filter(|row| row["is_primary"] == true).count();
        assert_eq!((rows.len(), counting), (RECORDS as usize, RECORDS as usize / 2));
    }
}

#[test]
fn a_batch_cancelled_or_killed_at_any_time_is_whole_or_absent() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let person = db.sign_up("ada@example.com");
    let mut done = 0.0;
    for round in 1..=60 {
        let value = f64::from(round);
        let mut phone = db.api(person.caller());
        let (before, audited) = traces(&mut admin, person);
        if round % 2 == 0 {
            // Postgres cancels the statement by its own clock, a little later each time.
            phone
                .batch_execute(&format!("set statement_timeout = '{}ms'", round / 2))
                .expect("a timeout can be set");
            drop(ingest(&mut phone, person.profile_id, &batch(value)));
        } else {
            let phone_pid = pid(&mut phone);
            thread::scope(|scope| {
                let sending = scope.spawn(move || drop(ingest(&mut phone, person.profile_id, &batch(value))));
                // As many looks at the running statement as rounds have passed, so that the instant wanders.
                for _ in 0..round {
                    admin.query_one("select count(*) from pg_stat_activity", &[]).expect("alive");
                }
                kill(&mut admin, phone_pid);
                sending.join().expect("no panic");
            });
        }
        let (rows, audited_now) = traces(&mut admin, person);
        if rows == before {
            assert_eq!(audited_now, audited, "round {round} left a trail of nothing");
            continue;
        }
        done = value;
        assert_eq!(rows.len(), RECORDS as usize, "round {round}");
        assert!(rows.iter().all(|row| row["value_num"].as_f64() == Some(value)), "round {round}");
        assert!(audited_now > audited, "round {round} left no trail");
    }
    let answer =
        ingest(&mut db.api(person.caller()), person.profile_id, &batch(1_000.0)).expect("the last word");
    let [inserted, updated, ..] = counts(&answer);
    assert_eq!((inserted + updated, inserted == 0), (RECORDS as u64, done > 0.0), "{answer}");
}
