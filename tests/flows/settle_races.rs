//! A settlement beside everything else that may happen to its people: deaths, deletions, edits, syncs, jobs.
//!
//! Promises: a killed settlement leaves nothing, and nobody is the victim of a deadlock. Races with a known order are forced
//! by open transactions and locks; the last one runs many rounds. Stops at workers among themselves: `queue_races`.

use crate::events::*;
use crate::ingest_races::overlap;
use crate::readings::{Reading, ingest, records};
use postgres::Client;
use serde_json::{Value, json};
use std::sync::Barrier;
use std::thread;
use welltrack_tests::{Caller, Person, TestDb};

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

/// A child of Ada's with a connection of its own.
fn child(db: &TestDb, ada: Person, account: &str) -> Person {
    let sql = "insert into public.wt_profiles (display_name) values ('Child') returning id";
    let profile_id = db.api(ada.caller()).query_one(sql, &[]).expect("her child").get(0);
    let child = Person { profile_id, ..ada };
    connect(&mut db.api(Caller::Service), child, "garmin", account);
    child
}

#[test]
fn deleting_a_profile_and_settling_its_events_take_turns() {
    let (db, ada, _) = connected("garmin", "g0");
    let child = child(&db, ada, "g1");
    let results = claimed(&db);
    let (mut admin, mut me, mut worker) = (db.admin(), db.api(ada.caller()), db.api(Caller::Service));
    let (my_pid, worker_pid) = (pid(&mut me), pid(&mut worker));
    // The profile is as good as gone, its readings are not.
    let mut holder = db.admin();
    holder
        .batch_execute("begin; lock table public.wt_profile_modules in share mode")
        .expect("the stage is set");
    let settled = thread::scope(|scope| {
        let deleting = scope.spawn(move || {
            me.execute("delete from public.wt_profiles where id = $1", &[&child.profile_id]).expect("hers")
        });
        until_stuck(&mut admin, my_pid, &deleting);
        let settling = scope.spawn(|| settle(&mut worker, "w", &results));
        until_stuck(&mut admin, worker_pid, &settling);
        holder.batch_execute("rollback").expect("alive");
        assert_eq!(deleting.join().expect("the deletion is not the victim"), 1);
        settling.join().expect("the settlement is not the victim")
    });
    assert_eq!(settled, [0, 0, 0, 0, 1]);
}

#[test]
fn a_person_who_edits_workouts_in_another_order_than_a_settlement_is_no_victim() {
    let (db, ada, _) = connected("garmin", "g1");
    let workouts = ["1", "2"].map(|name| {
        json!({"source_record_id": name, "workout_type": "Run", "duration_minutes": 30,
               "start_time": "2026-03-01T06:00:00Z"})
    });
    let mut results = claimed(&db);
    results[0]["workouts"] = json!(workouts);
    settle(&mut db.api(Caller::Service), "w", &results);
    let mut results = claimed(&db);
    results[0]["workouts"] = json!(workouts.map(|mut workout| {
        workout["duration_minutes"] = json!(31);
        workout
    }));
    let mut me = db.api(ada.caller());
    let edit = "update public.wt_workouts set notes = 'windy' where source_record_id = $1";
    me.batch_execute("begin").expect("alive");
    me.execute(edit, &[&"2"]).expect("hers");
    let settled = overlap(
        &db,
        db.api(Caller::Service),
        |service| settle(service, "w", &results),
        || {
            me.execute(edit, &[&"1"]).expect("hers");
            me.batch_execute("commit").expect("alive");
        },
    );
    assert_eq!(settled, [1, 0, 0, 0, 0]);
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
            let (db, mut me, mut service, start) =
                (&db, db.api(ada.caller()), db.api(Caller::Service), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    // A child with a watch comes and goes.
                    let account = format!("c{round}");
                    let child = child(db, ada, &account);
                    push_daily(&mut service, &account, round);
                    me.execute("delete from public.wt_profiles where id = $1", &[&child.profile_id])
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
