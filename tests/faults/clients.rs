//! Clients that never finish: others are served while they don't.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use welltrack_tests::simulator::courier::Parcel;

use crate::host::get;
use crate::stage::Stage;
use crate::{seed, short};

/// Pushes that others make meanwhile.
const OTHERS: usize = 200;

/// Lets this process, and the hosts that it starts, open as many files as may be; gives how many that are.
fn raise_limit() -> u64 {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the soft limit may rise to the hard one");
    most
}

fn connect(origin: &str) -> TcpStream {
    let stream = TcpStream::connect(origin.trim_start_matches("http://")).expect("the host listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit can be set");
    stream
}

/// Every push of somebody who behaves is acknowledged at the first attempt.
fn others_are_served(stage: &Stage, what: &str) {
    let mut courier = stage.simulator.courier();
    courier.garmin.attempts = 1;
    let url = stage.simulator.settings().garmin_webhook(&stage.hosts[0].origin());
    let deliveries = stage.simulator.handle().block_on(async {
        let pushes = (0..OTHERS).map(|number| {
            let parcel = Parcel::garmin(
                &json!({"dailies": [{"userId": "g0", "summaryId": format!("{what}{number}")}]}),
            );
            let (courier, url) = (&courier, &url);
            async move { courier.deliver(&parcel, |_| url.clone()).await }
        });
        futures_util::future::join_all(pushes).await
    });
    let failed: Vec<_> = deliveries.iter().filter(|delivery| !delivery.acknowledged()).collect();
    assert!(failed.is_empty(), "{} of {OTHERS} others were not served: {:?}", failed.len(), failed.first());
}

/// The start of a request to the webhook, headers unfinished.
fn request(stage: &Stage, length: usize) -> String {
    let settings = stage.simulator.settings();
    let path = settings.garmin_webhook("");
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\ngarmin-client-id: {}\r\nContent-Length: {length}\r\n",
        settings.garmin_client_id
    )
}

#[test]
fn clients_that_send_a_byte_now_and_then_keep_nobody_waiting() {
    let _alone = crate::alone();
    raise_limit();
    let stage = Stage::new("slow", seed(), 1);
    let count = if short() { 300 } else { 1_000 };
    let origin = stage.hosts[0].origin();
    let start = request(&stage, 1_000_000);
    // Half of them never finish their headers, the others never finish their bodies.
    let mut slow: Vec<TcpStream> = (0..count).map(|_| connect(&origin)).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        let end = if number % 2 == 0 { "" } else { "\r\n{" };
        client.write_all(format!("{start}{end}").as_bytes()).expect("the host reads");
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for client in &mut slow {
                    // The host may have had enough of them; that is its right.
                    let _ = client.write_all(b" ");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        others_are_served(&stage, "slow");
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(get(&format!("{origin}/healthz")), Some(200));
}

#[test]
fn a_client_that_closed_its_half_gets_its_answer_and_half_a_request_is_none() {
    let _alone = crate::alone();
    let stage = Stage::new("half", seed(), 1);
    let origin = stage.hosts[0].origin();
    let body = json!({"dailies": [{"userId": "g0", "summaryId": "half-closed"}]}).to_string();

    let mut whole = connect(&origin);
    let head = request(&stage, body.len());
    whole.write_all(format!("{head}\r\n{body}").as_bytes()).expect("the host reads");
    whole.shutdown(Shutdown::Write).expect("a half can be closed");
    let mut answer = String::new();
    whole.read_to_string(&mut answer).expect("the host answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    for cut in [1, body.len() / 2, body.len() - 1] {
        let mut half = connect(&origin);
        half.write_all(format!("{head}\r\n{}", &body[..cut]).as_bytes()).expect("the host reads");
        half.shutdown(Shutdown::Write).expect("a half can be closed");
        let mut answer = Vec::new();
        let _ = half.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{cut} bytes were taken for a push: {answer}");
    }
    others_are_served(&stage, "half");
    let stored: i64 = stage
        .admin()
        .query_one(
            "select count(*) from public.wt_webhook_events where payload::text like '%half-closed%'",
            &[],
        )
        .expect("the queue can be read")
        .get(0);
    assert_eq!(stored, 1);
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_waiting() {
    let _alone = crate::alone();
    let limit = raise_limit();
    let stage = Stage::new("idle", seed(), 1);
    let wanted = if short() { 2_000 } else { 10_000 };
    let count = wanted.min(limit.saturating_sub(1_000) as usize);
    if count < wanted {
        println!("only {count} idle connections: a process here may open {limit} files");
    }
    let origin = stage.hosts[0].origin();
    let idle: Vec<TcpStream> = (0..count).map(|_| connect(&origin)).collect();
    others_are_served(&stage, "idle");
    println!("{} idle connections, {OTHERS} pushes acknowledged", idle.len());
    drop(idle);
    others_are_served(&stage, "after");
}
