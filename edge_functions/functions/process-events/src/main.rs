//! `POST /functions/v1/process-events` (service key): turns what providers pushed into readings and workouts.
//!
//! What is claimed is settled, and what needs no provider first. One bad event never costs the others. Whatever happens to this
//! instance, an event is either settled or comes back when its lease runs out. It works until nothing is due or its time is up,
//! and then says with `x-run-again: now` that there is more; `soon` where it left the work to others who may die of it.
//!
//! Answers `{"claimed", "processed", "retried", "waiting", "dead", "lost"}`. Settings: those of [`welltrack_kit::provider`];
//! WELLTRACK_TOKEN_KEYS.

mod access;
mod batch;
mod event;
mod garmin;
mod insist;
mod strava;
mod worker;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use welltrack_core::providers::secret::same_secret;
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::rpc::{Rpc, RpcError};
use welltrack_kit::{clock, random, settings};
use wstd::http::{Body, Error, HeaderValue, Method, Request, StatusCode};

use crate::event::{Claim, ClaimedEvent, Settlement};
use crate::insist::insist;
use crate::worker::Worker;

/// Events in one batch: many share a statement, few are lost to others while this one works.
const BATCH: u32 = 200;
/// Whoever claimed within this time is trusted to go on, and gets what comes in meanwhile: a batch that asks no provider takes less.
const YIELD_TO: Duration = Duration::from_millis(100);
/// How long a batch may take; whoever takes longer has died.
const LEASE_SECONDS: u32 = 120;
/// Nothing of a batch is begun later than this: what may still take a minute must fit into the lease.
const BEGIN_WITHIN: Duration = Duration::from_secs(45);
/// After so long no new batch is begun: the host's own limits are near.
const TIME: Duration = Duration::from_secs(20);

/// What became of the events.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tally {
    /// Not the database's to say.
    #[serde(skip_deserializing)]
    claimed: usize,
    processed: u64,
    retried: u64,
    waiting: u64,
    dead: u64,
    lost: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.processed += other.processed;
        self.retried += other.retried;
        self.waiting += other.waiting;
        self.dead += other.dead;
        self.lost += other.lost;
    }
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Answer, Error> {
    if request.method() != Method::POST {
        return Ok(answer::method_not_allowed("POST"));
    }
    if !is_service(&request)? {
        return Ok(answer::problem(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "This is for the service role: send its key as the bearer token",
        ));
    }
    let rpc = Rpc::for_request(request.headers())?;
    Ok(match work(&rpc).await {
        Ok((tally, again)) => {
            let mut answer = answer::json(StatusCode::OK, &tally);
            if let Some(when) = again {
                answer.headers_mut().insert("x-run-again", HeaderValue::from_static(when));
            }
            answer
        }
        Err(error) => {
            eprintln!("the work was broken off: {error}");
            answer::try_again("the database can't be worked with")
        }
    })
}

/// The host lets every valid token through; this is for one.
fn is_service(request: &Request<Body>) -> Result<bool, settings::Missing> {
    let key = settings::required("SUPABASE_SERVICE_ROLE_KEY")?;
    let given = request.headers().get("authorization").map_or(&b""[..], |value| value.as_bytes());
    Ok(same_secret(given, format!("Bearer {key}").as_bytes()))
}

/// Claims and settles batches; says what became of them, and when to look again where there is or may be more to do.
async fn work(rpc: &Rpc) -> Result<(Tally, Option<&'static str>), RpcError> {
    // Nobody else's, also not that of an instance before: what that one held is none of this one's.
    let name = format!("process-events-{:016x}", u64::from_le_bytes(random::bytes()));
    let worker = Worker::new(rpc, &name);
    let until = clock::after(TIME);
    let mut total = Tally::default();
    loop {
        let claim = json!({
            "worker": name, "limit": BATCH, "lease_seconds": LEASE_SECONDS, "yield_to_ms": YIELD_TO.as_millis(),
        });
        let begin_until = clock::after(BEGIN_WITHIN);
        let claim: Claim = rpc.call("claim_webhook_events", &claim).await?;
        let is_late = || clock::unix_micros() >= until;
        if claim.yielded {
            return Ok((total, Some("soon")));
        }
        if claim.events.is_empty() {
            if claim.parked > 0 && !is_late() {
                continue;
            }
            // What is still due is behind more strangers, or in the hands of others.
            let again = if claim.parked > 0 { "now" } else { "soon" };
            return Ok((total, (claim.parked + claim.pending_now > 0).then_some(again)));
        }
        total.claimed += claim.events.len();
        // A provider that is slow must not keep waiting what needs no provider.
        let (remote, local): (Vec<_>, Vec<_>) =
            claim.events.into_iter().partition(ClaimedEvent::asks_provider);
        for events in [local, remote].into_iter().filter(|events| !events.is_empty()) {
            let results = batch::process(&worker, events, begin_until).await;
            total.add(&settle(rpc, &name, &results).await?);
        }
        if is_late() {
            return Ok((total, (claim.pending_now > 0).then_some("now")));
        }
    }
}

/// What `settle_webhook_events` takes.
#[derive(Serialize)]
struct Settlements<'a> {
    worker: &'a str,
    results: &'a [Settlement],
}

/// Writes what became of a batch. Saying it twice does no harm: what was settled is no longer this worker's.
async fn settle(rpc: &Rpc, worker: &str, results: &[Settlement]) -> Result<Tally, RpcError> {
    insist(rpc, "settle_webhook_events", &Settlements { worker, results }).await
}
