//! Several workers, webhooks and consents around one queue.
//!
//! Promises: an account's events are in one pair of hands at a time and in order, every event is processed once, and a
//! connection that appears at the instant of parking wakes what was parked. Races with a known order are forced by open
//! transactions; the others run many rounds. Stops at the people whose events are settled (`settle_races`) and at killing
//! hosts and the database (`cargo xtask test faults`).

use crate::events::*;
use crate::ingest_races::overlap;
use postgres::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use welltrack_tests::{Caller, TestDb};

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
fn one_busy_account_is_never_in_two_pairs_of_hands() {
    const EVENTS: u64 = 600;
    let (db, ..) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    let events: Vec<Value> = (0..EVENTS).map(|n| event("dailies", "g1", json!({"dailies": [n]}))).collect();
    push(&mut service, "garmin", &events);
    // How many workers hold something, as they themselves believe.
    let (holders, done, start) = (AtomicU64::new(0), AtomicU64::new(0), Barrier::new(6));
    thread::scope(|scope| {
        for n in 0..6 {
            let (mut service, holders, done, start) = (db.api(Caller::Service), &holders, &done, &start);
            scope.spawn(move || {
                let worker = format!("w{n}");
                start.wait();
                while done.load(Ordering::SeqCst) < EVENTS {
                    let events = claim(&mut service, &worker, 1);
                    let Some(event) = events.first() else { continue };
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "{worker} beside another one");
                    done.fetch_add(1, Ordering::SeqCst);
                    holders.fetch_sub(1, Ordering::SeqCst);
                    settle(&mut service, &worker, &[result(event, "processed")]);
                }
            });
        }
    });
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
fn an_account_that_is_taken_while_a_claim_waits_is_not_handed_out_again() {
    let (db, ..) = connected("garmin", "g0");
    let people = ["p1@example.org", "p2@example.org"].map(|email| db.sign_up(email));
    let mut service = db.api(Caller::Service);
    connect(&mut service, people[0], "garmin", "g1");
    for (account, number) in [("g0", 0), ("g1", 1), ("g1", 2), ("stranger", 3)] {
        push_daily(&mut service, account, number);
    }
    // The first account is somebody's who has not committed, so the slow claim looks further, comes across the stranger and
    // waits for a connection that is just being made: after it has seen the second account, before it takes it.
    let (mut open, mut consenting) = (db.api(Caller::Service), db.api(Caller::Service));
    open.batch_execute("begin").expect("alive");
    assert_eq!(claim(&mut open, "first", 1).len(), 1);
    consenting.batch_execute("begin").expect("alive");
    connect(&mut consenting, people[1], "garmin", "g2");
    let got = overlap(
        &db,
        db.api(Caller::Service),
        |slow| claim(slow, "slow", 1),
        || {
            open.batch_execute("commit").expect("alive");
            assert_eq!(claim(&mut service, "quick", 1)[0]["payload"]["dailies"][0], 1);
            consenting.batch_execute("commit").expect("alive");
        },
    );
    assert_eq!(got, Vec::<Value>::new());
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
