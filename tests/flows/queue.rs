//! The life of an event: received, claimed, settled, tried again, parked, buried, replayed, purged.
//!
//! Promises: each outcome has exactly the consequences that the functions' comments in `sql/` say. Stops at what readings
//! come of it (`provider_rows`), at random histories (`queue_model`) and at several at once (`queue_races`).

use crate::events::*;
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
fn a_failure_is_tried_again_after_longer_and_longer_and_in_the_end_is_a_dead_letter() {
    let (db, ada, _) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    push_daily(&mut service, "g1", 1);
    for (attempt, minutes) in [(1, 5), (2, 30), (3, 120), (4, 360)] {
        let events = claim(&mut service, "w", 10);
        assert_eq!(events[0]["attempts"], attempt);
        let mut failed = result(&events[0], "retry");
        failed["error"] = json!("provider_unavailable: 503");
        assert_eq!(settle(&mut service, "w", &[failed]), [0, 1, 0, 0, 0]);
        let wait = column(&mut admin, &events[0], "extract(epoch from next_retry_at - updated_at)::integer");
        assert_eq!(wait, Some((minutes * 60).to_string()));
        assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new(), "not before its time");
        let_retries_be_due(&mut admin);
    }
    let events = claim(&mut service, "w", 10);
    let mut failed = result(&events[0], "retry");
    failed["error"] = json!("provider_unavailable: 503");
    assert_eq!(settle(&mut service, "w", &[failed]), [0, 0, 0, 1, 0]);
    let log = admin
        .query(
            "select flow, error_code, message, user_id, context ->> 'event_id' from public.wt_error_log",
            &[],
        )
        .expect("readable");
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].get::<_, &str>(0), log[0].get::<_, &str>(1), log[0].get::<_, &str>(2)),
        ("garmin_webhook", "dead_letter", "provider_unavailable: 503")
    );
    assert_eq!(
        (log[0].get(3), log[0].get::<_, &str>(4)),
        (ada.user_id, events[0]["id"].as_str().expect("an id"))
    );
}

#[test]
fn dead_letters_can_be_listed_looked_at_replayed_and_discarded() {
    let (db, ..) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    let kinds = ["dailies", "sleeps", "dailies", "stressDetails"];
    for (n, kind) in kinds.iter().enumerate() {
        push(&mut service, "garmin", &[event(kind, "g1", json!({"n": n}))]);
    }
    let events = claim(&mut service, "w", 10);
    let dead: Vec<Value> = events.iter().map(|e| result(e, "dead")).collect();
    assert_eq!(settle(&mut service, "w", &dead), [0, 0, 0, 4, 0]);

    let mut list = |filter: &str| -> Vec<String> {
        service
            .query(&format!("select event_type from public.list_dead_letters({filter})"), &[])
            .expect("listed")
            .iter()
            .map(|row| row.get(0))
            .collect()
    };
    assert_eq!(list(""), ["stressDetails", "dailies", "sleeps", "dailies"], "the last one first");
    assert_eq!(list("event_type => 'dailies'").len(), 2);
    assert_eq!(list("source => 'strava'").len(), 0);
    assert_eq!(list("max_rows => 1"), ["stressDetails"]);

    let sleep = id(&events[1]["id"]);
    let shown: Value =
        service.query_one("select public.show_dead_letter($1)", &[&sleep]).expect("shown").get(0);
    assert_eq!(shown["payload"], json!({"n": 1}));
    let mut count = |sql: &str| -> i32 { service.query_one(sql, &[]).expect("replayed").get(0) };
    assert_eq!(count("select public.replay_dead_letters(source => 'strava')"), 0);
    assert_eq!(count("select public.replay_dead_letters(source => 'garmin', event_type => 'dailies')"), 2);
    assert_eq!(count(&format!("select public.replay_dead_letters('{sleep}')")), 1);
    assert_eq!(
        count(&format!("select public.replay_dead_letters('{sleep}')")),
        0,
        "it is no dead letter now"
    );
    assert_eq!(sqlstate(service.query("select public.show_dead_letter($1)", &[&sleep])), "PT404");

    // Replayed, they have all their attempts again.
    let again = claim(&mut service, "w", 10);
    assert_eq!((again.len(), &again[0]["attempts"]), (3, &json!(1)));
    let discard = "select public.discard_dead_letter($1)";
    assert!(
        !service.query_one(discard, &[&sleep]).expect("no").get::<_, bool>(0),
        "it is in somebody's hands"
    );
    assert!(service.query_one(discard, &[&id(&events[3]["id"])]).expect("gone").get::<_, bool>(0));
    assert_eq!(statuses(&mut db.admin()), BTreeMap::from([("processing".to_owned(), 3)]));
}

#[test]
fn a_wait_and_a_release_are_no_attempts() {
    let (db, ..) = connected("strava", "s1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    push(&mut service, "strava", &[event("activity.create", "s1", json!({}))]);
    for until in [json!("2999-01-01T00:00:00Z"), json!(null), json!("1999-01-01T00:00:00Z")] {
        let events = claim(&mut service, "w", 1);
        assert_eq!(events[0]["attempts"], 1);
        let mut wait = result(&events[0], "wait");
        wait["until"] = until.clone();
        assert_eq!(settle(&mut service, "w", &[wait]), [0, 0, 1, 0, 0]);
        let sensible = column(
            &mut admin,
            &events[0],
            "next_retry_at between now() - interval '1 minute' and now() + interval '1 day'",
        );
        assert_eq!(sensible.as_deref(), Some("true"), "{until}");
        let_retries_be_due(&mut admin);
    }
    let events = claim(&mut service, "w", 1);
    assert_eq!(settle(&mut service, "w", &[result(&events[0], "release")]), [0, 0, 1, 0, 0]);
    assert_eq!(claim(&mut service, "other", 1)[0]["attempts"], 1, "at once, for anybody");
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
fn what_may_have_killed_its_worker_is_handed_out_alone_and_buried_the_fifth_time() {
    let (db, ..) = connected("garmin", "g1");
    let bea = db.sign_up("bea@example.org");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    connect(&mut service, bea, "garmin", "g2");
    push_daily(&mut service, "g1", 1);
    push_daily(&mut service, "g2", 2);
    assert_eq!(claim(&mut service, "w1", 10).len(), 2);
    let_leases_end(&mut admin);
    push_daily(&mut service, "g2", 3);

    // The innocent one is alone as well, and through at the second attempt.
    for attempt in 2..=5 {
        let alone = claim(&mut service, "w2", 10);
        assert_eq!((alone.len(), &alone[0]["attempts"]), (1, &json!(attempt)));
        assert_eq!(alone[0]["payload"]["dailies"][0], 1);
        if attempt == 2 {
            let beside = claim(&mut service, "w3", 10);
            assert_eq!((beside.len(), &beside[0]["payload"]["dailies"][0]), (1, &json!(2)));
            settle(&mut service, "w3", &[result(&beside[0], "processed")]);
        }
        let_leases_end(&mut admin);
    }
    let others = claim(&mut service, "w2", 10);
    assert_eq!(others.iter().map(|e| &e["payload"]["dailies"][0]).collect::<Vec<_>>(), [3]);
    let expected = BTreeMap::from(
        [("dead_letter", 1), ("processed", 1), ("processing", 1)].map(|(s, n)| (s.to_owned(), n)),
    );
    assert_eq!(statuses(&mut admin), expected);
    let log = admin.query_one("select message from public.wt_error_log", &[]).expect("one row");
    assert_eq!(log.get::<_, &str>(0), "lease_lost");
}

#[test]
fn a_result_that_the_database_refuses_holds_up_no_other() {
    let (db, ..) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    let refused: [Value; 6] = [
        json!([{"metric_type": "luck", "unit": "count", "value_num": 1, "start_time": "2026-02-01T00:00:00Z"}]),
        json!([{"metric_type": "steps", "unit": "furlong", "value_num": 1, "start_time": "2026-02-01T00:00:00Z"}]),
        json!([{"metric_type": "steps", "unit": "count", "value_num": 7777, "start_time": "3026-03-01T00:00:00Z"}]),
        json!([{"metric_type": "steps", "unit": "count", "start_time": "2026-02-01T00:00:00Z"}]),
        json!([{"metric_type": "steps", "unit": "count", "value_num": "many", "start_time": "2026-02-01T00:00:00Z"}]),
        json!({"not": "a list"}),
    ];
    for number in 0..20 {
        push_daily(&mut service, "g1", number);
    }
    let events = claim(&mut service, "w", 20);
    let results: Vec<Value> = events
        .iter()
        .enumerate()
        .map(|(n, event)| {
            let second = u32::try_from(n).expect("few") * 60;
            let mut result = says(event, &[steps(&format!("r{n}"), second, second + 60, 5.0)]);
            if let Some(metrics) = n.checked_sub(7).and_then(|n| refused.get(n)) {
                result["metrics"] = metrics.clone();
            }
            result
        })
        .collect();
    assert_eq!(settle(&mut service, "w", &results), [14, 6, 0, 0, 0]);
    assert_eq!(readings(&mut admin).len(), 14);
    for event in &events[7..13] {
        let error = column(&mut admin, event, "last_error").expect("it says why");
        assert!(error.starts_with("refused_by_database: 2"), "{error}");
        assert!(!error.contains("7777") && !error.contains("many"), "no reading in an error: {error}");
    }
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
fn old_events_are_purged_and_dead_letters_are_kept() {
    let (db, ..) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    for number in 0..4 {
        push_daily(&mut service, "g1", number);
    }
    push_daily(&mut service, "stranger", 9);
    push_daily(&mut service, "stranger", 10);
    let events = claim(&mut service, "w", 10);
    let outcomes = ["processed", "processed", "processed", "dead"];
    let results: Vec<Value> = events.iter().zip(outcomes).map(|(e, outcome)| result(e, outcome)).collect();
    settle(&mut service, "w", &results);
    let mut purge = |arguments: &str| -> i32 {
        service
            .query_one(&format!("select public.purge_webhook_events({arguments})"), &[])
            .expect("purged")
            .get(0)
    };
    assert_eq!(purge(""), 0);
    admin
        .batch_execute(
            "update public.wt_webhook_events set processed_at = processed_at - interval '31 days', received_at = received_at - interval '31 days';
             update public.wt_webhook_events set processed_at = now() where payload ->> 'dailies' = '[0]'",
        )
        .expect("a month passes");
    assert_eq!(purge("keep_days => 40"), 0);
    assert_eq!(purge("portion => 1"), 2, "one processed and one parked");
    assert_eq!(purge(""), 2);
    let expected = BTreeMap::from([("dead_letter".to_owned(), 1), ("processed".to_owned(), 1)]);
    assert_eq!(statuses(&mut admin), expected);
    assert_eq!(sqlstate(service.query("select public.purge_webhook_events(keep_days => 0)", &[])), "22023");
}

#[test]
fn the_queue_says_how_long_it_is() {
    let (db, ..) = connected("garmin", "g1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    let empty = json!({"pending": 0, "processing": 0, "processed": 0, "dead_letter": 0, "parked": 0, "retries": 0,
                       "oldest_pending_seconds": 0.0});
    assert_eq!(call(&mut service, "queue_stats", &json!({})).expect("answered"), empty);
    push_daily(&mut service, "stranger", 9);
    for number in 0..5 {
        push_daily(&mut service, "g1", number);
    }
    let events = claim(&mut service, "w", 4);
    let outcomes = ["processed", "dead", "retry"];
    let results: Vec<Value> = events.iter().zip(outcomes).map(|(e, outcome)| result(e, outcome)).collect();
    settle(&mut service, "w", &results);
    admin
        .execute(
            "update public.wt_webhook_events set next_retry_at = now() - interval '100 seconds'
             where status = 'pending' and attempts = 0 and next_retry_at < 'infinity'",
            &[],
        )
        .expect("time passes");
    let mut stats = call(&mut service, "queue_stats", &json!({})).expect("answered");
    let oldest = stats["oldest_pending_seconds"].take().as_f64().expect("a number");
    assert!((100.0..1_000.0).contains(&oldest), "{oldest}");
    let expected = json!({"pending": 2, "processing": 1, "processed": 1, "dead_letter": 1, "parked": 1, "retries": 1,
                          "oldest_pending_seconds": null});
    assert_eq!(stats, expected);
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
