//! Consent, accounts and tokens: who is connected with what, and who may refresh whose token.
//!
//! Promises: a state is good for once, an account is one person's, a token is refreshed by one worker at a time and never
//! overwritten by an older one, and nothing of it can be read through the API. Stops at what the bytes mean: they come
//! encrypted.

use crate::events::*;
use serde_json::{Value, json};
use std::sync::Barrier;
use std::thread;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

fn state(person: Person, hash: u8) -> Value {
    json!({"user_id": person.user_id, "provider": "garmin", "state_hash": format!("{hash:02x}").repeat(32),
           "verifier_encrypted": "dmVyaWZpZXI=", "key_id": "k1", "redirect_to": "app://done"})
}

#[test]
fn a_consent_under_way_can_be_taken_up_once_and_in_time() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    let mut service = db.api(Caller::Service);
    let asked = state(ada, 1);
    let answer = call(&mut service, "create_oauth_state", &asked).expect("kept");
    assert_eq!(answer["profile_id"], json!(ada.profile_id), "the primary profile");
    let eve = db.sign_up("eve@example.org");
    let find = json!({"state_hash": asked["state_hash"]});
    let take = |person: Person| json!({"state_hash": asked["state_hash"], "user_id": person.user_id});
    let way_back = json!({"provider": "garmin", "redirect_to": "app://done"});
    for _ in 0..2 {
        assert_eq!(call(&mut service, "find_oauth_state", &find).expect("found"), way_back);
        // Neither nobody nor somebody else takes it up, or spoils it.
        assert_eq!(sqlstate(call(&mut service, "take_oauth_state", &find)), "PT404");
        assert_eq!(sqlstate(call(&mut service, "take_oauth_state", &take(eve))), "PT404");
    }
    let taken = call(&mut service, "take_oauth_state", &take(ada)).expect("taken");
    assert_eq!(
        taken,
        json!({"user_id": ada.user_id, "profile_id": ada.profile_id, "provider": "garmin", "key_id": "k1",
               "verifier_encrypted": "dmVyaWZpZXI="})
    );
    assert_eq!(sqlstate(call(&mut service, "take_oauth_state", &take(ada))), "PT404");
    assert_eq!(sqlstate(call(&mut service, "find_oauth_state", &find)), "PT404");

    call(&mut service, "create_oauth_state", &state(ada, 2)).expect("kept");
    db.admin()
        .execute("update public.wt_oauth_states set expires_at = now() - interval '1 s'", &[])
        .expect("later");
    let late = json!({"state_hash": state(ada, 2)["state_hash"], "user_id": ada.user_id});
    assert_eq!(sqlstate(call(&mut service, "find_oauth_state", &late)), "PT404");
    assert_eq!(sqlstate(call(&mut service, "take_oauth_state", &late)), "PT404");
    // What nobody came back for goes when somebody else begins.
    call(&mut service, "create_oauth_state", &state(ada, 3)).expect("kept");
    let left: i64 =
        db.admin().query_one("select count(*) from public.wt_oauth_states", &[]).expect("readable").get(0);
    assert_eq!(left, 1);
}

#[test]
fn of_two_who_come_back_with_one_state_one_gets_through() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.org");
    for round in 0..20 {
        let asked = state(ada, round);
        call(&mut db.api(Caller::Service), "create_oauth_state", &asked).expect("kept");
        let start = Barrier::new(2);
        let through: usize = thread::scope(|scope| {
            let both: Vec<_> = (0..2)
                .map(|_| {
                    let take = json!({"state_hash": asked["state_hash"], "user_id": ada.user_id});
                    let (mut service, start) = (db.api(Caller::Service), &start);
                    scope.spawn(move || {
                        start.wait();
                        usize::from(call(&mut service, "take_oauth_state", &take).is_ok())
                    })
                })
                .collect();
            both.into_iter().map(|one| one.join().expect("no panic")).sum()
        });
        assert_eq!(through, 1);
    }
}

#[test]
fn nobody_consents_for_a_profile_that_is_not_theirs() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.org"), db.sign_up("eve@example.org"));
    let mut service = db.api(Caller::Service);
    let mut asked = state(eve, 1);
    asked["profile_id"] = json!(ada.profile_id);
    assert_eq!(sqlstate(call(&mut service, "create_oauth_state", &asked)), "PT404");
    let mixed = consent(Person { user_id: eve.user_id, ..ada }, "garmin", "g1");
    assert_eq!(sqlstate(call(&mut service, "store_connection", &mixed)), "PT404");
}

fn find(service: &mut postgres::Client, asked: Value) -> Value {
    call(service, "find_connection", &asked).map_or(Value::Null, |answer| answer["connection"].clone())
}

#[test]
fn an_account_is_one_persons_until_they_end_the_connection() {
    let (db, ada, connection) = connected("garmin", "g1");
    let eve = db.sign_up("eve@example.org");
    let mut service = db.api(Caller::Service);
    let hers = consent(eve, "garmin", "g1");
    assert_eq!(sqlstate(call(&mut service, "store_connection", &hers)), "PT409");
    push_daily(&mut service, "g1", 1);
    claim(&mut service, "w", 1);

    call(&mut service, "disconnect_provider", &json!({"connection_id": connection})).expect("ended");
    assert_eq!(
        find(&mut service, json!({"user_id": ada.user_id, "provider": "garmin"}))["is_connected"],
        false
    );
    call(&mut service, "store_connection", &hers).expect("the account is hers now");
    let found = find(&mut service, json!({"provider": "garmin", "provider_user_id": "g1"}));
    assert_eq!((&found["user_id"], &found["is_connected"]), (&json!(eve.user_id), &json!(true)));
    assert_eq!(find(&mut service, json!({"user_id": ada.user_id, "provider": "garmin"})), Value::Null);
    // What was pushed while the account was somebody else's is not shown to the next.
    let_leases_end(&mut db.admin());
    assert_eq!(claim(&mut service, "w", 10), Vec::<Value>::new());
}

#[test]
fn a_persons_account_moves_to_the_profile_that_it_is_connected_for_with_what_waits_for_it() {
    let (db, ada, first) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    let child = "insert into public.wt_profiles (display_name) values ('Child') returning id";
    let profile_id = db.api(ada.caller()).query_one(child, &[]).expect("she has a child").get(0);
    let child = Person { profile_id, ..ada };
    push_daily(&mut service, "g1", 1);
    connect(&mut service, child, "garmin", "g9");
    assert_eq!(connect(&mut service, child, "garmin", "g1"), first, "it is the same connection");
    assert_eq!(find(&mut service, json!({"user_id": ada.user_id, "provider": "garmin"})), Value::Null);
    let asked = json!({"user_id": ada.user_id, "provider": "garmin", "profile_id": profile_id});
    assert_eq!(find(&mut service, asked)["id"], json!(first));
    assert_eq!(claim(&mut service, "w", 10)[0]["connection"]["profile_id"], json!(profile_id));
}

#[test]
fn who_disconnects_leaves_no_token_and_keeps_the_connections_row() {
    let (db, _, connection) = connected("strava", "s1");
    let mut service = db.api(Caller::Service);
    let which = json!({"connection_id": connection});
    let token = call(&mut service, "get_connection_token", &which).expect("there is one");
    assert_eq!((&token["access_token_encrypted"], &token["scopes"]), (&json!("YWNjZXNz"), &json!(["read"])));
    assert_eq!(call(&mut service, "disconnect_provider", &which).expect("ended"), json!({}));
    assert_eq!(sqlstate(call(&mut service, "get_connection_token", &which)), "PT404");
    assert_eq!(call(&mut service, "disconnect_provider", &which).expect("again"), json!({}));
    let nobody = json!({"connection_id": uuid::Uuid::nil()});
    assert_eq!(sqlstate(call(&mut service, "disconnect_provider", &nobody)), "PT404");
}

#[test]
fn a_long_token_comes_back_in_one_line() {
    let (db, ada, connection) = connected("strava", "s1");
    let mut service = db.api(Caller::Service);
    let mut long = consent(ada, "strava", "s1");
    long["access_token_encrypted"] = json!("QUJD".repeat(100));
    call(&mut service, "store_connection", &long).expect("stored");
    let token =
        call(&mut service, "get_connection_token", &json!({"connection_id": connection})).expect("there");
    assert_eq!(token["access_token_encrypted"], long["access_token_encrypted"]);
}

fn lease(worker: &str, connection: uuid::Uuid) -> Value {
    json!({"connection_id": connection, "worker": worker, "seconds": 30})
}

fn refreshed(worker: &str, connection: uuid::Uuid, access: &str) -> Value {
    json!({"connection_id": connection, "worker": worker, "access_token_encrypted": access,
           "refresh_token_encrypted": null, "key_id": "k1", "token_expires_at": "2027-01-01T00:00:00Z"})
}

#[test]
fn one_worker_at_a_time_refreshes_a_token() {
    let (db, _, connection) = connected("strava", "s1");
    for _ in 0..20 {
        let start = Barrier::new(3);
        let granted: Vec<String> = thread::scope(|scope| {
            let all: Vec<_> = ["a", "b", "c"]
                .map(|worker| {
                    let (mut service, start) = (db.api(Caller::Service), &start);
                    scope.spawn(move || {
                        start.wait();
                        let answer = call(&mut service, "lease_token_refresh", &lease(worker, connection));
                        (worker, answer.expect("an answer")["granted"] == true)
                    })
                })
                .into_iter()
                .collect();
            let answers = all.into_iter().map(|one| one.join().expect("no panic"));
            answers.filter(|(_, granted)| *granted).map(|(worker, _)| worker.to_owned()).collect()
        });
        assert_eq!(granted.len(), 1);
        let mut service = db.api(Caller::Service);
        for worker in ["a", "b", "c"] {
            let stored = call(&mut service, "store_connection_token", &refreshed(worker, connection, "bmV3"));
            if granted[0] == worker {
                assert_eq!(stored.expect("the holder stores"), json!({}));
                break;
            }
            assert_eq!(sqlstate(stored), "PT409");
        }
    }
    let token =
        call(&mut db.api(Caller::Service), "get_connection_token", &json!({"connection_id": connection}));
    let token = token.expect("there");
    assert_eq!(
        (&token["access_token_encrypted"], &token["refresh_token_encrypted"]),
        (&json!("bmV3"), &json!("cmVmcmVzaA==")),
        "a refresh token that was not handed out anew stays"
    );
}

#[test]
fn a_lease_that_ran_out_can_be_taken_and_its_last_holder_stores_nothing() {
    let (db, _, connection) = connected("strava", "s1");
    let mut service = db.api(Caller::Service);
    let mut granted = |worker: &str| -> bool {
        call(&mut service, "lease_token_refresh", &lease(worker, connection)).expect("an answer")["granted"]
            == true
    };
    assert!(granted("slow") && granted("slow") && !granted("quick"));
    db.admin()
        .execute("update public.wt_connection_tokens set refresh_leased_until = now() - interval '1 s'", &[])
        .expect("time passes");
    assert!(granted("quick") && !granted("slow"));
    let late = call(&mut service, "store_connection_token", &refreshed("slow", connection, "b2xk"));
    assert_eq!(sqlstate(late), "PT409");
    let gone = call(&mut service, "lease_token_refresh", &lease("w", uuid::Uuid::nil()));
    assert_eq!(sqlstate(gone), "PT404");
    let gone = call(&mut service, "store_connection_token", &refreshed("w", uuid::Uuid::nil(), "b2xk"));
    assert_eq!(sqlstate(gone), "PT404");
}

#[test]
fn tokens_move_to_another_key_and_none_is_overwritten_by_an_older_one() {
    let (db, ada, one) = connected("strava", "s1");
    let mut service = db.api(Caller::Service);
    let two = connect(&mut service, ada, "garmin", "g1");
    let ask = json!({"key_id": "k2", "limit": 10});
    let handed = call(&mut service, "tokens_to_rotate", &ask).expect("handed out");
    assert_eq!(handed["tokens"].as_array().expect("a list").len(), 2);
    assert_eq!(call(&mut service, "tokens_to_rotate", &ask).expect("nothing more")["tokens"], json!([]));
    // Who would refresh one now waits until it is moved.
    let granted = call(&mut service, "lease_token_refresh", &lease("w", one)).expect("an answer");
    assert_eq!(granted["granted"], false);
    let moved = |connection: uuid::Uuid| {
        json!({"connection_id": connection, "old_key_id": "k1", "access_token_encrypted": "azI=",
               "refresh_token_encrypted": "azI=", "key_id": "k2"})
    };
    assert_eq!(call(&mut service, "rotate_token", &moved(one)).expect("moved")["rotated"], true);
    assert_eq!(call(&mut service, "rotate_token", &moved(one)).expect("moved already")["rotated"], false);

    // The rotation took too long with the other one, and it was refreshed meanwhile.
    db.admin()
        .execute("update public.wt_connection_tokens set refresh_leased_until = now() - interval '1 s'", &[])
        .expect("time passes");
    call(&mut service, "lease_token_refresh", &lease("w", two)).expect("granted");
    call(&mut service, "store_connection_token", &refreshed("w", two, "bmV3")).expect("refreshed");
    assert_eq!(call(&mut service, "rotate_token", &moved(two)).expect("too late")["rotated"], false);
    let again = call(&mut service, "tokens_to_rotate", &ask).expect("handed out");
    assert_eq!(again["tokens"][0]["access_token_encrypted"], "bmV3");
    assert_eq!(
        (&again["tokens"][0]["provider"], &again["tokens"][0]["key_id"]),
        (&json!("garmin"), &json!("k1"))
    );
}

#[test]
fn a_person_sees_their_connection_and_nothing_that_opens_it() {
    let (db, ada, _) = connected("strava", "s1");
    let mut me = db.api(ada.caller());
    assert_eq!(me.query("select * from public.wt_health_connections", &[]).expect("hers").len(), 1);
    for table in ["wt_connection_tokens", "wt_oauth_states", "wt_webhook_events"] {
        assert_eq!(sqlstate(me.query(&format!("select * from public.{table}"), &[])), "42501", "{table}");
    }
    let export: Value = me.query_one("select public.export_my_data()", &[]).expect("exported").get(0);
    for secret in ["\\x616363657373", "YWNjZXNz", "refresh_token"] {
        assert!(!export.to_string().contains(secret), "{secret}");
    }
}
