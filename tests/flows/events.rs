//! Providers' events for the tests of the queue: pushes, workers, and a clock that can be moved.
//!
//! Promises: everything goes through the functions that edge functions call, as the service. Time passes by moving the
//! times in the table, never by waiting. Stops at what the tests want to know.

use postgres::{Client, Error};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;
use welltrack_tests::{Person, TestDb};

/// `select public.FUNCTION(body)`: the one way in which edge functions speak to the database.
pub(crate) fn call(client: &mut Client, function: &str, body: &Value) -> Result<Value, Error> {
    client.query_one(&format!("select public.{function}($1)"), &[body]).map(|row| row.get(0))
}

/// An event nobody has sent before.
pub(crate) fn event(event_type: &str, account: &str, payload: Value) -> Value {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let key = format!("{:064x}", SENT.fetch_add(1, Ordering::Relaxed));
    json!({"event_type": event_type, "provider_user_id": account, "payload": payload, "idempotency_key": key})
}

/// A provider pushes; answers how many were new.
pub(crate) fn push(client: &mut Client, source: &str, events: &[Value]) -> u64 {
    let answer = call(client, "receive_webhook_events", &json!({"source": source, "events": events}))
        .expect("a webhook stores what it is sent");
    answer["stored"].as_u64().expect("a number")
}

/// One event of Garmin's dailies for `account`, its number in the payload.
pub(crate) fn push_daily(client: &mut Client, account: &str, number: u64) {
    assert_eq!(push(client, "garmin", &[event("dailies", account, json!({"dailies": [number]}))]), 1);
}

/// The person consents; answers the connection.
pub(crate) fn connect(client: &mut Client, person: Person, provider: &str, account: &str) -> Uuid {
    let answer =
        call(client, "store_connection", &consent(person, provider, account)).expect("consent is kept");
    id(&answer["connection_id"])
}

/// What `store_connection` is told.
pub(crate) fn consent(person: Person, provider: &str, account: &str) -> Value {
    json!({"user_id": person.user_id, "profile_id": person.profile_id, "provider": provider,
           "provider_user_id": account, "scopes": ["read"], "access_token_encrypted": "YWNjZXNz",
           "refresh_token_encrypted": "cmVmcmVzaA==", "key_id": "k1", "token_expires_at": "2026-01-01T00:00:00Z",
           "metadata": {}})
}

/// A worker asks for up to `limit` events.
pub(crate) fn claim(client: &mut Client, worker: &str, limit: u32) -> Vec<Value> {
    let asked = json!({"worker": worker, "limit": limit, "lease_seconds": 60});
    let answer = call(client, "claim_webhook_events", &asked).expect("a claim is answered");
    answer["events"].as_array().expect("a list").clone()
}

/// A worker says what became of its events; answers processed, retried, waiting, dead, lost.
pub(crate) fn settle(client: &mut Client, worker: &str, results: &[Value]) -> [u64; 5] {
    let answer = call(client, "settle_webhook_events", &json!({"worker": worker, "results": results}))
        .expect("a settlement is answered");
    ["processed", "retried", "waiting", "dead", "lost"].map(|count| answer[count].as_u64().expect("a number"))
}

/// A result for a claimed event.
pub(crate) fn result(event: &Value, outcome: &str) -> Value {
    json!({"id": event["id"], "outcome": outcome})
}

/// That a claimed event says this.
pub(crate) fn says(event: &Value, metrics: &[Value]) -> Value {
    json!({"id": event["id"], "outcome": "processed", "metrics": metrics})
}

/// Steps of a period on 1 March 2026, given in seconds of that day, in the record of that name.
pub(crate) fn steps(name: &str, from: u32, to: u32, value: f64) -> Value {
    let at =
        |second: u32| format!("2026-03-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    json!({"metric_type": "steps", "value_num": value, "value_text": null, "unit": "count", "start_time": at(from),
           "end_time": at(to), "source_record_id": name, "final": true})
}

/// Lets all leases run out.
pub(crate) fn let_leases_end(admin: &mut Client) {
    admin
        .execute(
            "update public.wt_webhook_events set locked_until = now() - interval '1 second' where locked_until > now()",
            &[],
        )
        .expect("time passes");
}

/// Lets the waiting events' time come; the parked ones have none.
pub(crate) fn let_retries_be_due(admin: &mut Client) {
    admin
        .execute(
            "update public.wt_webhook_events set next_retry_at = now() where status = 'pending' and next_retry_at < 'infinity'",
            &[],
        )
        .expect("time passes");
}

/// How many events have which status; parked ones are counted as such.
pub(crate) fn statuses(admin: &mut Client) -> BTreeMap<String, i64> {
    admin
        .query(
            "select case when next_retry_at = 'infinity' and status = 'pending' then 'parked' else status::text end,
                    count(*)
             from public.wt_webhook_events group by 1",
            &[],
        )
        .expect("the superuser reads everything")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// One column of one event, as text.
pub(crate) fn column(admin: &mut Client, event: &Value, name: &str) -> Option<String> {
    let sql = format!("select ({name})::text from public.wt_webhook_events where id = $1");
    admin.query_one(&sql, &[&id(&event["id"])]).expect("the event is there").get(0)
}

/// All readings: name, value and end of the period in seconds of its day.
pub(crate) fn readings(admin: &mut Client) -> Vec<(String, f64, i32)> {
    admin
        .query(
            "select coalesce(source_record_id, ''), value_num, extract(epoch from end_time)::bigint % 86400
             from public.wt_health_metrics order by 1, 2, 3",
            &[],
        )
        .expect("the superuser reads everything")
        .iter()
        .map(|row| (row.get(0), row.get(1), i32::try_from(row.get::<_, i64>(2)).expect("a day is short")))
        .collect()
}

/// A uuid out of JSON.
pub(crate) fn id(value: &Value) -> Uuid {
    serde_json::from_value(value.clone()).expect("a uuid")
}

/// A fresh database with one person who is connected as `account`.
pub(crate) fn connected(provider: &str, account: &str) -> (TestDb, Person, Uuid) {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.org");
    let connection = connect(&mut db.api(welltrack_tests::Caller::Service), person, provider, account);
    (db, person, connection)
}
