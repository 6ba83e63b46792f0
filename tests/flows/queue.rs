//! The way of an event: received, parked, woken, claimed, settled, gone with its person.
//!
//! Promises: each step has exactly the consequences that the functions' comments in `sql/` say. Stops at what can't be
//! processed at once (`queue_failures`), at what readings come of it (`provider_rows`), at random histories (`queue_model`)
//! and at several at once (`queue_races`).

use crate::events::*;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use welltrack_tests::{Caller, TestDb, sqlstate};

#[test]
fn a_push_sent_again_is_stored_once() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let events = [event("dailies", "g1", json!({"a": 1})), event("sleeps", "g1", json!({"a": 2}))];
    assert_eq!(push(&mut service, "garmin", &events), 2);
    assert_eq!(push(&mut service, "garmin", &events), 0);
    let third = event("dailies", "g2", json!({}));
    // Twice in one envelope, beside one that is known.
    assert_eq!(push(&mut service, "garmin", &[events[1].clone(), third.clone(), third]), 1);
    assert_eq!(statuses(&mut db.admin()), BTreeMap::from([("pending".to_owned(), 3)]));
}

#[test]
fn a_wake_up_call_goes_out_with_what_is_new_and_only_then() {
    let db = TestDb::new();
    let (mut service, mut host) = (db.api(Caller::Service), db.api(Caller::Service));
    host.batch_execute("listen welltrack_events").expect("hosts listen");
    let mut heard = || {
        host.batch_execute("select 1").expect("alive");
        host.notifications().iter().count().expect("calls are heard")
    };
    let events = [event("dailies", "g1", json!({}))];
    push(&mut service, "garmin", &events);
    assert_eq!(heard(), 1);
    push(&mut service, "garmin", &events);
    assert_eq!(heard(), 0);
}

#[test]
fn no_access_token_is_stored_however_it_is_wrapped() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let payload = json!({
        "userAccessToken": "s3cret", "dailies": [{"userId": "g1", "userAccessToken": "s3cret \\\" , \"x\": 1", "steps": 5}],
        "deep": {"er": [{"userAccessToken": 53}, {"userAccessToken": null}]},
        "note": "a text about \"userAccessToken\": \"fine\" stays",
    });
    push(&mut service, "garmin", &[event("dailies", "g1", payload)]);
    let stored: Value =
        db.admin().query_one("select payload from public.wt_webhook_events", &[]).expect("stored").get(0);
    let expected = json!({
        "userAccessToken": null, "dailies": [{"userId": "g1", "userAccessToken": null, "steps": 5}],
        "deep": {"er": [{"userAccessToken": null}, {"userAccessToken": null}]},
        "note": "a text about \"userAccessToken\": \"fine\" stays",
    });
    assert_eq!(stored, expected);
}

#[test]
fn whatever_a_provider_sends_is_stored() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let mut odd = vec![event("", "g1", json!(null)), event(&"x".repeat(100), &"y".repeat(300), json!([1]))];
    let mut bare = event("", "", json!({}));
    for key in ["event_type", "provider_user_id", "payload"] {
        bare.as_object_mut().expect("an object").remove(key);
    }
    odd.push(bare);
    assert_eq!(push(&mut service, "strava", &odd), 3);
    // Without an account nobody can be found for it.
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
    assert_eq!(statuses(&mut db.admin()), BTreeMap::from([("parked".to_owned(), 3)]));
}

#[test]
fn a_message_of_no_known_form_is_refused_with_the_form_it_should_have() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    let good = event("dailies", "g1", json!({}));
    let with = |key: &str, value: Value| {
        let mut event = good.clone();
        event[key] = value;
        json!({"source": "garmin", "events": [event]})
    };
    let wrong = [
        ("receive_webhook_events", json!({"source": "fitbit", "events": [good]})),
        ("receive_webhook_events", json!({"events": [good]})),
        ("receive_webhook_events", json!({"source": "garmin", "events": {}})),
        ("receive_webhook_events", json!({"source": "garmin", "events": ["text"]})),
        ("receive_webhook_events", with("idempotency_key", json!("short"))),
        ("receive_webhook_events", with("idempotency_key", json!(null))),
        ("receive_webhook_events", with("idempotency_key", json!(7))),
        ("receive_webhook_events", json!(7)),
        ("claim_webhook_events", json!({})),
        ("claim_webhook_events", json!({"worker": "", "limit": 1, "lease_seconds": 60})),
        ("claim_webhook_events", json!({"worker": "w", "limit": 0, "lease_seconds": 60})),
        ("claim_webhook_events", json!({"worker": "w", "limit": "1", "lease_seconds": 60})),
        ("claim_webhook_events", json!({"worker": "w", "limit": 1, "lease_seconds": 4})),
        ("claim_webhook_events", json!({"worker": "w", "limit": 1, "lease_seconds": 5, "yield_to_ms": -1})),
        ("claim_webhook_events", json!({"worker": "w", "limit": 1, "lease_seconds": 5, "yield_to_ms": null})),
        ("settle_webhook_events", json!({"worker": "w"})),
        ("settle_webhook_events", json!({"worker": "w", "results": [{"id": "x", "outcome": "processed"}]})),
        ("settle_webhook_events", json!({"worker": "w", "results": [{"outcome": "processed"}]})),
        (
            "settle_webhook_events",
            json!({"worker": "w", "results": [{"id": uuid::Uuid::nil(), "outcome": "eaten"}]}),
        ),
        ("lease_token_refresh", json!({"connection_id": uuid::Uuid::nil(), "worker": "w", "seconds": 0})),
    ];
    for (function, body) in wrong {
        assert_eq!(sqlstate(call(&mut service, function, &body)), "PT400", "{function} {body}");
    }
}

#[test]
fn a_claim_says_whose_the_events_are_and_in_the_order_in_which_they_came() {
    let (db, ada, connection) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    db.admin().execute("update public.wt_users set timezone = 'Asia/Tokyo'", &[]).expect("she moves");
    for number in 0..5 {
        push_daily(&mut service, "g1", number);
    }
    let events = claim(&mut service, "w", 3);
    assert_eq!(events.iter().map(|e| &e["payload"]["dailies"][0]).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(
        events[0]["connection"],
        json!({"id": connection, "user_id": ada.user_id, "profile_id": ada.profile_id, "is_connected": true,
               "timezone": "Asia/Tokyo"})
    );
    assert_eq!((&events[0]["attempts"], &events[0]["source"]), (&json!(1), &json!("garmin")));
    // The account is in one pair of hands.
    assert_eq!(claim(&mut service, "other", 3), Vec::<Value>::new());
    assert_eq!(settle(&mut service, "w", &[result(&events[0], "processed")]), [1, 0, 0, 0, 0]);
    assert_eq!(claim(&mut service, "other", 3), Vec::<Value>::new());
    let rest: Vec<Value> = events[1..].iter().map(|e| result(e, "processed")).collect();
    settle(&mut service, "w", &rest);
    assert_eq!(claim(&mut service, "other", 3).len(), 2);
}

#[test]
fn events_wait_for_their_account_to_be_connected_and_are_woken_by_it() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, "g1", 1);
    push_daily(&mut service, "g2", 2);
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
    assert_eq!(statuses(&mut db.admin()), BTreeMap::from([("parked".to_owned(), 2)]));

    let connection = connect(&mut service, ada, "garmin", "g1");
    let events = claim(&mut service, "w", 10);
    assert_eq!((events.len(), &events[0]["attempts"]), (1, &json!(1)), "parking is no attempt");
    settle(&mut service, "w", &[result(&events[0], "processed")]);

    // Disconnected they are parked again, until she comes back.
    call(&mut service, "disconnect_provider", &json!({"connection_id": connection}))
        .expect("she disconnects");
    push_daily(&mut service, "g1", 3);
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
    connect(&mut service, ada, "garmin", "g1");
    assert_eq!(claim(&mut service, "w", 10)[0]["payload"]["dailies"][0], 3);
}

#[test]
fn many_strangers_at_the_head_of_the_queue_keep_nobody_waiting() {
    let (db, ..) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    let strangers: Vec<Value> = (0..950).map(|n| event("dailies", &format!("x{n}"), json!({}))).collect();
    push(&mut service, "garmin", &strangers);
    push_daily(&mut service, "g1", 1);
    assert_eq!(claim(&mut service, "w", 1).len(), 1);
}

#[test]
fn a_crowd_of_strangers_is_set_aside_in_portions_that_fit_into_a_statement() {
    let (db, ..) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    for start in [0, 12_000] {
        let strangers: Vec<Value> =
            (start..start + 12_000).map(|n| event("dailies", &format!("x{n}"), json!({}))).collect();
        push(&mut service, "garmin", &strangers);
    }
    push_daily(&mut service, "g1", 1);
    let mut claim = || {
        let asked = json!({"worker": "w", "limit": 500, "lease_seconds": 60});
        call(&mut service, "claim_webhook_events", &asked).expect("a claim is answered")
    };
    let first = claim();
    assert_eq!(first["events"], json!([]));
    assert!((20_000..22_000).contains(&first["parked"].as_u64().expect("a number")), "{first}");
    let second = claim();
    assert_eq!(second["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(first["parked"].as_u64().zip(second["parked"].as_u64()).map(|(a, b)| a + b), Some(24_000));
}

#[test]
fn a_worker_leaves_a_short_queue_to_who_is_at_work_but_not_a_long_one_and_not_to_who_stopped() {
    let db = TestDb::new();
    let mut service = db.api(Caller::Service);
    for account in 0..13 {
        let person = db.sign_up(&format!("p{account}@example.org"));
        connect(&mut service, person, "garmin", &format!("g{account}"));
    }
    let mut accounts = 0..13;
    let mut push_next = |service: &mut Client| {
        let account = accounts.next().expect("enough accounts");
        push_daily(service, &format!("g{account}"), account);
    };
    let yielding = |service: &mut Client, worker: &str| {
        let asked = json!({"worker": worker, "limit": 1, "lease_seconds": 60, "yield_to_ms": 10_000});
        let answer = call(service, "claim_webhook_events", &asked).expect("a claim is answered");
        (answer["events"].as_array().expect("a list").len(), answer["yielded"].as_bool().expect("a word"))
    };
    for _ in 0..6 {
        push_next(&mut service);
    }
    assert_eq!(yielding(&mut service, "first"), (1, false), "nobody else is at work");
    assert_eq!(yielding(&mut service, "second"), (0, true), "five batches wait for the first one");
    assert_eq!(yielding(&mut service, "first"), (1, false), "nobody yields to themselves");
    for _ in 0..2 {
        push_next(&mut service);
    }
    assert_eq!(yielding(&mut service, "second"), (1, false), "six batches are more than one can do soon");
    assert_eq!(yielding(&mut service, "third"), (0, true));
    assert_eq!(claim(&mut service, "impatient", 1).len(), 1, "who says nothing yields to nobody");
    db.admin()
        .batch_execute(
            "update public.wt_webhook_events set locked_at = locked_at - interval '11 seconds'
             where status = 'processing'",
        )
        .expect("time passes");
    assert_eq!(yielding(&mut service, "third"), (1, false), "who claimed long ago may be dead");
}

#[test]
fn a_farewell_from_an_account_that_is_gone_has_nothing_left_to_do() {
    let (db, _, connection) = connected("garmin", "g2");
    let mut service = db.api(Caller::Service);
    call(&mut service, "disconnect_provider", &json!({"connection_id": connection}))
        .expect("she disconnects");
    let garmin = [
        event("deregistrations", "g1", json!({})),
        event("userPermissionsChange", "g1", json!({})),
        // Kept for later it would end the next connection.
        event("deregistrations", "g2", json!({})),
    ];
    let strava = [
        event("athlete.delete", "s1", json!({})),
        event("athlete.update", "s1", json!({"updates": {"authorized": "false"}})),
        event("athlete.update", "s1", json!({"updates": {"weight": "70"}})),
    ];
    push(&mut service, "garmin", &garmin);
    push(&mut service, "strava", &strava);
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
    let expected = BTreeMap::from([("processed".to_owned(), 5), ("parked".to_owned(), 1)]);
    assert_eq!(statuses(&mut db.admin()), expected);
}

#[test]
fn a_worker_that_comes_too_late_writes_nothing() {
    let (db, ..) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    push_daily(&mut service, "g1", 1);
    let first = claim(&mut service, "slow", 10);
    let_leases_end(&mut admin);
    let second = claim(&mut service, "quick", 10);
    assert_eq!(second[0]["attempts"], 2);
    let late = says(&first[0], &[steps("a", 0, 60, 1.0)]);
    assert_eq!(settle(&mut service, "slow", std::slice::from_ref(&late)), [0, 0, 0, 0, 1]);
    assert_eq!(readings(&mut admin), []);
    assert_eq!(
        settle(&mut service, "quick", &[says(&second[0], &[steps("a", 0, 60, 2.0)])]),
        [1, 0, 0, 0, 0]
    );
    assert_eq!(settle(&mut service, "quick", &[late]), [0, 0, 0, 0, 1], "settled is settled");
    assert_eq!(readings(&mut admin), [("a".to_owned(), 2.0, 60)]);
}

#[test]
fn a_worker_that_is_late_but_not_replaced_may_still_settle() {
    let (db, ..) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    push_daily(&mut service, "g1", 1);
    let events = claim(&mut service, "slow", 10);
    let_leases_end(&mut admin);
    assert_eq!(settle(&mut service, "slow", &[result(&events[0], "processed")]), [1, 0, 0, 0, 0]);
}

#[test]
fn an_event_whose_account_left_while_it_was_processed_goes_back_and_is_parked() {
    let (db, ada, _) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, "g1", 1);
    let events = claim(&mut service, "w", 10);
    db.admin()
        .execute("update public.wt_health_connections set provider_user_id = 'g9'", &[])
        .expect("the stage is set");
    assert_eq!(settle(&mut service, "w", &[says(&events[0], &[steps("a", 0, 60, 1.0)])]), [0, 0, 1, 0, 0]);
    assert_eq!(readings(&mut db.admin()), []);
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
    db.admin()
        .execute(
            "update public.wt_health_connections set provider_user_id = 'g1' where user_id = $1",
            &[&ada.user_id],
        )
        .expect("the stage is set");
    assert_eq!(claim(&mut service, "w", 10).len(), 1);
}

#[test]
fn who_goes_takes_all_their_events_along_and_nobody_elses() {
    let (db, ada, _) = connected("garmin", "g1");
    let bea = db.sign_up("bea@example.org");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    connect(&mut service, bea, "garmin", "g2");
    let ended = connect(&mut service, ada, "strava", "s1");
    call(&mut service, "disconnect_provider", &json!({"connection_id": ended})).expect("she disconnects");
    // Processed, in somebody's hands, waiting to be claimed, parked: of both.
    for account in ["g1", "g2"] {
        push_daily(&mut service, account, 1);
        let events = claim(&mut service, account, 1);
        settle(&mut service, account, &[result(&events[0], "processed")]);
        push_daily(&mut service, account, 2);
        claim(&mut service, account, 1);
        push_daily(&mut service, account, 3);
    }
    push(
        &mut service,
        "strava",
        &[event("activity.create", "s1", json!({})), event("activity.create", "s2", json!({}))],
    );
    claim(&mut service, "w", 10);
    admin.execute("delete from auth.users where id = $1", &[&ada.user_id]).expect("she goes");
    let left: Vec<String> = admin
        .query("select distinct provider_user_id from public.wt_webhook_events order by 1", &[])
        .expect("readable")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left, ["g2", "s2"]);
}
