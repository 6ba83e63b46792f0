//! Strava's events: they only name an activity, which is asked for.

use std::time::Duration;

use serde_json::Value;
use welltrack_core::limits::STRAVA_ANSWER_BYTES;
use welltrack_core::providers::Provider;
use welltrack_core::providers::strava;
use welltrack_core::providers::strava::activity::Activity;
use welltrack_kit::clock;
use welltrack_kit::outgoing::{self, Reply};
use welltrack_kit::tokens::Secret;
use wstd::http::{Body, Request, StatusCode};

use crate::access::{self, Denied};
use crate::event::{ClaimedEvent, EventOutcome, EventResult};
use crate::worker::Worker;

const ACTIVITY_TIMEOUT: Duration = Duration::from_secs(15);
/// An activity that is still missing at the last attempt, hours after it was announced, has been deleted, if the attempt
/// before missed it too. One miss alone proves nothing, whatever else went wrong before.
const LAST_ATTEMPT: u32 = Provider::Strava.rules().retry.max_attempts();
const NOT_THERE: &str = "activity: not there (yet)";

/// What becomes of an event.
pub(crate) async fn process(worker: &Worker<'_>, event: &ClaimedEvent) -> EventOutcome {
    let Ok(payload) = serde_json::from_str::<Value>(event.payload.get()) else {
        return EventOutcome::dead("invalid_record: the payload can't be read");
    };
    match strava::Event::read(&payload) {
        strava::Event::ActivityCreated { id, .. } => {
            let is_missed_again = event.last_error.as_deref() == Some(NOT_THERE);
            let is_too_early = event.attempts < LAST_ATTEMPT || !is_missed_again;
            fetch(worker, event, id, is_too_early).await
        }
        strava::Event::ActivityUpdated { id, .. } => fetch(worker, event, id, false).await,
        strava::Event::ActivityDeleted { id, .. } => gone(id),
        strava::Event::Deauthorized { .. } => EventOutcome::disconnected(None),
        strava::Event::Other => EventOutcome::Processed(EventResult {
            error: Some("unknown_type: no readings are taken from it".to_owned()),
            ..EventResult::default()
        }),
    }
}

fn gone(id: u64) -> EventOutcome {
    EventOutcome::Processed(EventResult { deleted: vec![id.to_string()], ..EventResult::default() })
}

async fn fetch(worker: &Worker<'_>, event: &ClaimedEvent, id: u64, is_too_early: bool) -> EventOutcome {
    if let Some(until) = worker.strava_rests_until.get().filter(|&until| until > clock::unix_micros()) {
        return EventOutcome::Wait { until };
    }
    let outcome = match request(worker, event, id).await {
        Ok(reply) => understand(&reply, id, is_too_early),
        Err(Denied::Revoked) => {
            EventOutcome::disconnected(Some("revoked: Strava no longer knows the consent"))
        }
        Err(Denied::Instead(outcome)) => outcome,
    };
    // The limits are the application's, not the person's: nobody else's events need try.
    if let EventOutcome::Wait { until } = outcome {
        worker.strava_rests_until.set(Some(until));
    }
    outcome
}

/// Strava's answer, after a second attempt with another token where it refused the first.
async fn request(worker: &Worker<'_>, event: &ClaimedEvent, id: u64) -> Result<Reply, Denied> {
    let token = access::token(worker, &event.connection, None).await?;
    let reply = send(worker, id, &token).await?;
    if reply.status != StatusCode::UNAUTHORIZED {
        return Ok(reply);
    }
    let token = access::token(worker, &event.connection, Some(&token)).await?;
    let reply = send(worker, id, &token).await?;
    if reply.status == StatusCode::UNAUTHORIZED { Err(Denied::Revoked) } else { Ok(reply) }
}

async fn send(worker: &Worker<'_>, id: u64, token: &Secret) -> Result<Reply, Denied> {
    let strava = worker.strava().map_err(access::failed)?;
    let request = Request::get(format!("{}/api/v3/activities/{id}", strava.api))
        .header("authorization", format!("Bearer {}", token.expose()))
        .body(Body::empty())
        .map_err(|_| access::failed("STRAVA_API_BASE is no address"))?;
    outgoing::send(request, STRAVA_ANSWER_BYTES, ACTIVITY_TIMEOUT)
        .await
        .map_err(|error| access::failed(format!("activity: {error}")))
}

fn understand(reply: &Reply, id: u64, is_too_early: bool) -> EventOutcome {
    match reply.status {
        StatusCode::OK => {
            match serde_json::from_slice::<Value>(&reply.body).map(|json| Activity::read(&json)) {
                Ok(Ok(activity)) => EventOutcome::Processed(EventResult {
                    metrics: activity.readings,
                    workouts: vec![activity.workout],
                    ..EventResult::default()
                }),
                Ok(Err(reason)) => EventOutcome::dead(reason),
                Err(_) => EventOutcome::retry("activity: the answer is not JSON"),
            }
        }
        // Just after it was made an activity may not be there yet.
        StatusCode::NOT_FOUND if is_too_early => EventOutcome::retry(NOT_THERE),
        // Deleted, or made invisible to us: what was taken from it goes, too.
        StatusCode::NOT_FOUND => gone(id),
        StatusCode::TOO_MANY_REQUESTS => EventOutcome::Wait { until: access::resumes_at(reply) },
        status => EventOutcome::retry(format!("activity: status {}", status.as_u16())),
    }
}
