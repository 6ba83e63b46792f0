//! What becomes of events that can't be processed at once: tried again, put off, handed out alone, buried, replayed, purged.
//!
//! Promises: each outcome has exactly the consequences that the functions' comments in `sql/` say. Stops at the way of an
//! event that goes through at once: `queue`.

use crate::events::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use welltrack_tests::{Caller, sqlstate};

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
