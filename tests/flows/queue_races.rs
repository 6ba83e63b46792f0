//! Several at once: workers, webhooks, people, operators and deaths around one queue.
//!
//! Promises: an account's events are in one pair of hands at a time and in order, every event is processed once, a killed
//! settlement leaves nothing, a connection that appears at the instant of parking wakes what was parked, and nobody is the
//! victim of a deadlock. Races with a known order are forced by open transactions; the others run many rounds. Stops at
//! the processes: killing hosts and the database is `cargo xtask test faults`.

use crate::events::*;
use crate::ingest_races::overlap;
use crate::readings::{Reading, ingest, records};
use postgres::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};
use std::thread;
use welltrack_tests::{Caller, Person, TestDb};

#[test]
fn many_workers_share_the_queue_without_ever_sharing_an_account() {
    const ACCOUNTS: u64 = 12;
    const EVENTS: u64 = 360;
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    for account in 0..ACCOUNTS {
        let person = db.sign_up(&format!("p{account}@example.org"));
        connect(&mut service, person, "garmin", &format!("g{account}"));
    }
    let hands: Mutex<BTreeMap<String, &str>> = Mutex::default();
    let order: Mutex<BTreeMap<String, Vec<u64>>> = Mutex::default();
    let start = Barrier::new(5);
    thread::scope(|scope| {
        for (worker, limit) in [("w0", 1), ("w1", 7), ("w2", 50), ("w3", 200)] {
            let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
            let (hands, order, start) = (&hands, &order, &start);
            scope.spawn(move || {
                start.wait();
                while statuses(&mut admin).get("processed") != Some(&(EVENTS.cast_signed())) {
                    let events = claim(&mut service, worker, limit);
                    let mut mine = hands.lock().expect("no panic");
                    for event in &events {
                        let account = event["provider_user_id"].as_str().expect("a text").to_owned();
                        let other = mine.insert(account.clone(), worker);
                        assert!(
                            other.is_none_or(|other| other == worker),
                            "{account}: {worker} beside {other:?}"
                        );
                        let number = event["payload"]["dailies"][0].as_u64().expect("a number");
                        order.lock().expect("no panic").entry(account).or_default().push(number);
                    }
                    drop(mine);
                    let results: Vec<Value> = events
                        .iter()
                        .map(|event| {
                            let number = event["payload"]["dailies"][0].as_u64().expect("a number");
                            let second = u32::try_from(number).expect("few") * 60;
                            says(event, &[steps(&format!("r{number}"), second, second + 60, 1.0)])
                        })
                        .collect();
                    hands.lock().expect("no panic").retain(|_, holder| *holder != worker);
                    assert_eq!(settle(&mut service, worker, &results), [results.len() as u64, 0, 0, 0, 0]);
                }
            });
        }
        start.wait();
        for number in 0..EVENTS {
            push_daily(&mut service, &format!("g{}", number % ACCOUNTS), number);
        }
    });
    for (account, numbers) in order.into_inner().expect("no panic") {
        assert_eq!(numbers.len() as u64, EVENTS / ACCOUNTS, "{account}: each event once");
        assert!(numbers.is_sorted(), "{account}: {numbers:?}");
    }
    assert_eq!(readings(&mut db.admin()).len() as u64, EVENTS);
}

#[test]
fn a_second_claim_passes_over_what_the_first_one_looks_at() {
    let (db, ..) = connected("garmin", "g1");
    let bea = db.sign_up("bea@example.org");
    let mut service = db.api(Caller::Service);
    connect(&mut service, bea, "garmin", "g2");
    push_daily(&mut service, "g1", 1);
    push_daily(&mut service, "g1", 2);
    push_daily(&mut service, "g2", 3);
    let mut open = db.api(Caller::Service);
    open.batch_execute("begin").expect("alive");
    assert_eq!(claim(&mut open, "w0", 1)[0]["payload"]["dailies"][0], 1);
    // Neither waits nor takes the account's other event.
    let other = claim(&mut service, "w1", 10);
    assert_eq!(other.iter().map(|e| &e["payload"]["dailies"][0]).collect::<Vec<_>>(), [3]);
    open.batch_execute("commit").expect("alive");
    assert_eq!(claim(&mut service, "w1", 10), Vec::<Value>::new());
}

#[test]
fn a_connection_that_appears_at_the_instant_of_parking_wakes_the_event() {
    let db = TestDb::new();
    for round in 0..40 {
        let (person, account) = (db.sign_up(&format!("p{round}@example.org")), format!("g{round}"));
        push_daily(&mut db.api(Caller::Service), &account, 1);
        let start = Barrier::new(2);
        let early = thread::scope(|scope| {
            let (mut service, start) = (db.api(Caller::Service), &start);
            let worker = scope.spawn(move || {
                start.wait();
                claim(&mut service, "w", 1)
            });
            let mut service = db.api(Caller::Service);
            start.wait();
            connect(&mut service, person, "garmin", &account);
            worker.join().expect("no panic")
        });
        let late = claim(&mut db.api(Caller::Service), "w", 1);
        assert_eq!(early.len() + late.len(), 1, "round {round}");
    }
}

#[test]
fn a_connection_not_yet_committed_is_waited_for_before_its_events_are_parked() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    push_daily(&mut db.api(Caller::Service), "g1", 1);
    let mut open = db.api(Caller::Service);
    open.batch_execute("begin").expect("alive");
    connect(&mut open, ada, "garmin", "g1");
    let claimed = overlap(
        &db,
        db.api(Caller::Service),
        |service| claim(service, "w", 1).len(),
        || open.batch_execute("commit").expect("alive"),
    );
    assert_eq!(claimed + claim(&mut db.api(Caller::Service), "w", 1).len(), 1);
}

fn pid(client: &mut Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).expect("alive").get(0)
}

/// Waits until the backend waits for a lock, or what runs in it is over.
fn until_stuck<T>(admin: &mut Client, pid: i32, running: &thread::ScopedJoinHandle<'_, T>) {
    let stuck = "select count(*) > 0 from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
    while !running.is_finished() && !admin.query_one(stuck, &[&pid]).expect("alive").get::<_, bool>(0) {
        thread::yield_now();
    }
}

/// Everything that a settlement may write.
fn traces(admin: &mut Client) -> String {
    let sql = "select concat((select jsonb_agg(to_jsonb(m) order by id) from public.wt_health_metrics m),
                             (select jsonb_agg(to_jsonb(w) order by id) from public.wt_workouts w),
                             (select jsonb_agg(to_jsonb(e) order by id) from public.wt_webhook_events e),
                             (select jsonb_agg(to_jsonb(c) order by id) from public.wt_health_connections c),
                             (select count(*) from public.wt_audit_log))";
    admin.query_one(sql, &[]).expect("readable").get(0)
}

#[test]
fn a_settlement_killed_at_any_step_leaves_nothing_and_can_be_said_again() {
    let (db, ..) = connected("garmin", "g1");
    let mut admin = db.admin();
    for number in 0..10 {
        push_daily(&mut db.api(Caller::Service), "g1", number);
    }
    let events = claim(&mut db.api(Caller::Service), "w", 10);
    let results: Vec<Value> = (0_u32..)
        .zip(&events)
        .map(|(n, event)| {
            let mut result = says(event, &[steps(&format!("r{n}"), n * 60, n * 60 + 60, 1.0)]);
            result["workouts"] = json!([{"source_record_id": n.to_string(), "workout_type": "Run",
                "start_time": "2026-03-01T06:00:00Z", "duration_minutes": 30}]);
            result
        })
        .collect();
    let before = traces(&mut admin);
    for instant in [
        "select from public.wt_users for update",
        "select from public.wt_webhook_events for update",
        "lock table public.wt_health_metrics in share mode",
        "lock table public.wt_workouts in share mode",
        "lock table public.wt_audit_log in share mode",
        "select from public.wt_health_connections for update",
    ] {
        let mut holder = db.admin();
        holder.batch_execute(&format!("begin; {instant}")).expect("the stage is set");
        let mut worker = db.api(Caller::Service);
        let worker_pid = pid(&mut worker);
        thread::scope(|scope| {
            let results = &results;
            let settling = scope.spawn(move || {
                call(&mut worker, "settle_webhook_events", &json!({"worker": "w", "results": results}))
            });
            until_stuck(&mut admin, worker_pid, &settling);
            admin.execute("select pg_terminate_backend($1)", &[&worker_pid]).expect("a superuser may");
            settling.join().expect("no panic").expect_err("it was killed");
        });
        let there = "select count(*) > 0 from pg_stat_activity where pid = $1";
        while admin.query_one(there, &[&worker_pid]).expect("alive").get(0) {
            thread::yield_now();
        }
        holder.batch_execute("rollback").expect("alive");
        assert_eq!(traces(&mut admin), before, "killed at: {instant}");
    }
    assert_eq!(settle(&mut db.api(Caller::Service), "w", &results), [10, 0, 0, 0, 0]);
    assert_eq!(readings(&mut admin).len(), 10);
}

/// One claimed event of Ada's that says something.
fn claimed(db: &TestDb) -> Vec<Value> {
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, "g1", 1);
    let events = claim(&mut service, "w", 1);
    vec![says(&events[0], &[steps("r", 0, 60, 1.0)])]
}

#[test]
fn deleting_an_account_and_settling_its_events_wait_for_each_other_and_not_in_a_circle() {
    // The settlement first, held still in its middle; then the deletion first.
    for settlement_first in [true, false] {
        let (db, ada, _) = connected("garmin", "g1");
        let results = claimed(&db);
        let mut admin = db.admin();
        let (mut worker, mut gotrue) = (db.api(Caller::Service), db.admin());
        let (worker_pid, gotrue_pid) = (pid(&mut worker), pid(&mut gotrue));
        let mut holder = db.admin();
        let hold = if settlement_first {
            "lock table public.wt_audit_log in share mode"
        } else {
            "lock table public.wt_profiles in share mode"
        };
        holder.batch_execute(&format!("begin; {hold}")).expect("the stage is set");
        let settled = thread::scope(|scope| {
            let deletion = move || {
                gotrue.execute("delete from auth.users where id = $1", &[&ada.user_id]).expect("she goes");
            };
            let results = &results;
            let settlement = move || settle(&mut worker, "w", results);
            let (deleting, settling);
            if settlement_first {
                settling = scope.spawn(settlement);
                until_stuck(&mut admin, worker_pid, &settling);
                deleting = scope.spawn(deletion);
                until_stuck(&mut admin, gotrue_pid, &deleting);
            } else {
                deleting = scope.spawn(deletion);
                until_stuck(&mut admin, gotrue_pid, &deleting);
                settling = scope.spawn(settlement);
                until_stuck(&mut admin, worker_pid, &settling);
            }
            holder.batch_execute("rollback").expect("alive");
            deleting.join().expect("the deletion is not the victim");
            settling.join().expect("the settlement is not the victim")
        });
        let lost = u64::from(!settlement_first);
        assert_eq!(settled, [1 - lost, 0, 0, 0, lost]);
        assert_eq!((readings(&mut admin).len(), statuses(&mut admin).len()), (0, 0), "she is gone");
    }
}

#[test]
fn a_person_who_writes_deletes_and_disconnects_meanwhile_is_in_nobodys_way() {
    let (db, ada, _) = connected("garmin", "g1");
    connect(&mut db.api(Caller::Service), ada, "strava", "s1");
    const ROUNDS: u64 = 30;
    let start = Barrier::new(5);
    let workout = |name: u64, minutes: u64| {
        json!({"source_record_id": name.to_string(), "workout_type": "Run", "duration_minutes": minutes,
               "start_time": "2026-03-01T06:00:00Z"})
    };
    thread::scope(|scope| {
        for (worker, source, account) in [("w0", "garmin", "g1"), ("w1", "strava", "s1")] {
            let (mut service, start) = (db.api(Caller::Service), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    push(&mut service, source, &[event("x", account, json!({"dailies": [round]}))]);
                    let events = claim(&mut service, worker, 10);
                    let results: Vec<Value> = events
                        .iter()
                        .map(|event| {
                            let value = round as f64;
                            let metrics =
                                [steps("a", 0, 60, value), steps("b", 120, 180 + round as u32, value)];
                            let mut result = says(event, &metrics);
                            result["workouts"] =
                                json!([workout(1, round), workout(2, round), workout(3, round)]);
                            result
                        })
                        .collect();
                    let settled = settle(&mut service, worker, &results);
                    assert_eq!(settled.iter().sum::<u64>(), results.len() as u64);
                    assert_eq!(settled[1], 0, "nothing was refused");
                }
            });
        }
        {
            let (mut me, start) = (db.api(ada.caller()), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let batch = records(&[Reading::steps("manual", 0, round as f64 + 1.0)]);
                    ingest(&mut me, ada.profile_id, &batch).expect("her phone syncs");
                    for order in ["asc", "desc"] {
                        let sql = format!(
                            "update public.wt_workouts w set notes = $1
                             from (select id from public.wt_workouts order by source_record_id {order}) o
                             where w.id = o.id"
                        );
                        me.execute(&sql, &[&format!("{round}")]).expect("her workouts");
                    }
                    me.execute("delete from public.wt_workouts where source_record_id = '2'", &[])
                        .expect("her workout");
                }
            });
        }
        {
            let (mut me, mut service, start) = (db.api(ada.caller()), db.api(Caller::Service), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    // A child with a watch comes and goes.
                    let child = "insert into public.wt_profiles (display_name) values ('Child') returning id";
                    let profile_id = me.query_one(child, &[]).expect("her child").get(0);
                    let account = format!("c{round}");
                    connect(&mut service, Person { profile_id, ..ada }, "garmin", &account);
                    push_daily(&mut service, &account, round);
                    me.execute("delete from public.wt_profiles where id = $1", &[&profile_id])
                        .expect("her child");
                }
            });
        }
        let (mut jobs, mut service, start) = (db.owner(), db.api(Caller::Service), &start);
        scope.spawn(move || {
            start.wait();
            let asked = json!({"user_id": ada.user_id, "provider": "strava"});
            for _ in 0..ROUNDS {
                jobs.execute("select public.run_health_jobs()", &[]).expect("the jobs run");
                jobs.execute("select public.purge_webhook_events(), public.replay_dead_letters()", &[])
                    .expect("the operator works");
                let found = call(&mut service, "find_connection", &asked).expect("it is there");
                let which = json!({"connection_id": found["connection"]["id"]});
                call(&mut service, "disconnect_provider", &which).expect("she disconnects");
                connect(&mut service, ada, "strava", "s1");
            }
        });
    });
    let failed = "select count(*) from public.wt_webhook_events where last_error is not null";
    assert_eq!(db.admin().query_one(failed, &[]).expect("readable").get::<_, i64>(0), 0);
}

#[test]
fn two_workers_who_claim_at_the_same_instant_find_work_beside_each_other() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    for account in 0..2 {
        let person = db.sign_up(&format!("p{account}@example.org"));
        connect(&mut service, person, "garmin", &format!("g{account}"));
        push_daily(&mut service, &format!("g{account}"), account);
    }
    // Neither has committed yet, and both look at the head of the queue first.
    let mut open: Vec<Client> = (0..2).map(|_| db.api(Caller::Service)).collect();
    let mut got: Vec<u64> = Vec::new();
    for (n, worker) in open.iter_mut().enumerate() {
        worker.batch_execute("begin").expect("alive");
        let events = claim(worker, &format!("w{n}"), 1);
        got.extend(events.iter().map(|event| event["payload"]["dailies"][0].as_u64().expect("a number")));
    }
    got.sort_unstable();
    assert_eq!(got, [0, 1]);
}
