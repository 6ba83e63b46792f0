//! Garmin's events: what was pushed is read, what was only announced (a ping) is fetched first.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use welltrack_core::limits::GARMIN_ANSWER_BYTES;
use welltrack_core::providers::Provider;
use welltrack_core::providers::garmin::{Change, Parsed, is_read, parse};
use welltrack_core::providers::oauth::redirect::is_allowed;
use welltrack_kit::outgoing::{self, SendError};
use welltrack_kit::provider::api_base;
use wstd::http::{Body, Request};

use crate::event::{ClaimedEvent, ConnectionChange, EventOutcome, EventResult};

const CALLBACK_TIMEOUT: Duration = Duration::from_secs(15);
/// Garmin pings for one type and person once for some minutes of data.
const MOST_CALLBACKS: usize = 50;

/// What becomes of an event.
pub(crate) async fn process(event: &ClaimedEvent) -> EventOutcome {
    if let Err(reason) = is_read(&event.event_type) {
        return EventOutcome::Processed(EventResult {
            error: Some(reason.to_string()),
            ..EventResult::default()
        });
    }
    // A name that this build has no rules for: only the one day of a date would be off.
    let zone = TimeZone::get(&event.connection.timezone).unwrap_or(TimeZone::UTC);
    let Ok(payload) = serde_json::from_str::<Value>(event.payload.get()) else {
        return EventOutcome::dead("invalid_record: the payload can't be read");
    };
    let mut parsed = parse(&event.event_type, &payload, &zone);
    let callbacks = std::mem::take(&mut parsed.callbacks);
    if callbacks.len() > MOST_CALLBACKS {
        return EventOutcome::dead(format!("invalid_record: a ping with {} addresses", callbacks.len()));
    }
    for address in callbacks {
        match fetch(&address).await {
            // What was announced may have been taken back.
            Ok(summaries) if summaries.as_array().is_some_and(Vec::is_empty) => {}
            Ok(summaries) => {
                let fetched = parse(&event.event_type, &summaries, &zone);
                parsed.readings.extend(fetched.readings);
                parsed.problems.extend(fetched.problems);
                parsed.change = fetched.change.or(parsed.change);
            }
            Err(outcome) => return outcome,
        }
    }
    outcome(parsed)
}

/// What stands behind a ping's address.
async fn fetch(address: &str) -> Result<Value, EventOutcome> {
    // Pings are not signed. A forged one must not send us anywhere else.
    if !is_allowed(address, &format!("{}/wellness-api/", api_base(Provider::Garmin))) {
        return Err(EventOutcome::dead("forbidden_address: a ping that leads away from Garmin's API"));
    }
    let request = Request::get(address).body(Body::empty());
    let request =
        request.map_err(|_| EventOutcome::dead("forbidden_address: a ping without a proper address"))?;
    let reply =
        outgoing::send(request, GARMIN_ANSWER_BYTES, CALLBACK_TIMEOUT).await.map_err(
            |error| match error {
                SendError::TooLarge => EventOutcome::dead("callback: the answer is too large"),
                error => EventOutcome::retry(format!("callback: {error}")),
            },
        )?;
    if !reply.status.is_success() {
        return Err(EventOutcome::retry(format!("callback: status {}", reply.status.as_u16())));
    }
    serde_json::from_slice(&reply.body).map_err(|_| EventOutcome::retry("callback: the answer is not JSON"))
}

/// What was read, and what of it could not be. An event of a known type that yields nothing is a dead letter: somebody should
/// look at it, and trying again would yield the same.
fn outcome(parsed: Parsed) -> EventOutcome {
    let error = parsed.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let is_empty = parsed.readings.is_empty() && parsed.change.is_none();
    if is_empty && !error.is_empty() {
        return EventOutcome::dead(error);
    }
    let connection = parsed.change.map(|change| match change {
        Change::Disconnected => ConnectionChange::IsConnected(false),
        Change::Permissions(permissions) => ConnectionChange::Scopes(permissions),
    });
    let error = Some(error).filter(|error| !error.is_empty());
    EventOutcome::Processed(EventResult {
        metrics: parsed.readings,
        connection,
        error,
        ..EventResult::default()
    })
}
