//! `GET|POST /functions/v1/strava-webhook`: answers Strava's challenge, and takes the events that it announces.
//!
//! It answers 200 only after the event is durably in the queue, whether it is understood or not. An event that was stored before is stored
//! once. Strava isn't called, so its two seconds are spent on one insert. The activity behind an event is fetched by
//! `process-events`.
//!
//! Settings: STRAVA_VERIFY_TOKEN; STRAVA_SUBSCRIPTION_ID, where set, must be the event's; STRAVA_CLIENT_SECRET, with which
//! signatures are made; STRAVA_REQUIRE_SIGNATURE=true refuses events without one (Strava does not sign all subscriptions).

use serde_json::{Value, json};
use welltrack_core::providers::canonical::storable;
use welltrack_core::providers::oauth::parameter;
use welltrack_core::providers::strava::{self, Notification, signature};
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::rpc::Rpc;
use welltrack_kit::{clock, settings};
use wstd::http::{Body, Error, HeaderMap, Method, Request, StatusCode};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Answer, Error> {
    match *request.method() {
        Method::GET => Ok(challenge(request.uri().query().unwrap_or_default())?),
        Method::POST => event(request).await,
        _ => Ok(answer::method_not_allowed("GET or POST")),
    }
}

fn challenge(query: &str) -> Result<Answer, settings::Missing> {
    let token = settings::required("STRAVA_VERIFY_TOKEN")?;
    Ok(match strava::challenge(|name| parameter(query, name), &token) {
        Some(challenge) => answer::json(StatusCode::OK, &json!({"hub.challenge": challenge})),
        None => answer::problem(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "no subscription of ours has this verify token",
        ),
    })
}

async fn event(request: Request<Body>) -> Result<Answer, Error> {
    let (head, mut body) = request.into_parts();
    let bytes = body.contents().await?;
    match check_signature(&head.headers, bytes) {
        Ok(()) => {}
        Err(SignatureError::Missing(setting)) => return Err(setting.into()),
        Err(why) => return Ok(answer::problem(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", &why.to_string())),
    }
    let Some(body) = serde_json::from_slice(bytes).ok().filter(Value::is_object) else {
        return Ok(answer::problem(StatusCode::BAD_REQUEST, "NOT_JSON", "the body is no JSON object"));
    };
    let event = Notification::read(&body);
    let subscription = settings::optional("STRAVA_SUBSCRIPTION_ID");
    if subscription.is_some() && subscription != event.subscription_id.map(|id| id.to_string()) {
        return Ok(answer::problem(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "the event is of another subscription",
        ));
    }
    let events = json!({"source": "strava", "events": [{
        "event_type": event.event_type,
        "provider_user_id": event.provider_user_id,
        "idempotency_key": event.idempotency_key,
        "payload": storable(body),
    }]});
    match Rpc::for_request(&head.headers)?.call::<Value>("receive_webhook_events", &events).await {
        Ok(stored) => Ok(answer::json(StatusCode::OK, &stored)),
        Err(error) => {
            eprintln!("an event could not be stored: {error}");
            Ok(answer::try_again("the event could not be stored"))
        }
    }
}

/// Why an event is not taken for Strava's, or can't be judged.
#[derive(Debug, thiserror::Error)]
enum SignatureError {
    /// A fault of the installation, not of the caller.
    #[error(transparent)]
    Missing(#[from] settings::Missing),
    #[error("the event is not signed")]
    NotSigned,
    #[error(transparent)]
    Wrong(#[from] signature::SignatureError),
}

/// Whether the body is Strava's, as far as its header says something about that.
fn check_signature(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    let Some(header) = headers.get("x-strava-signature") else {
        let is_required = settings::optional("STRAVA_REQUIRE_SIGNATURE").is_some_and(|value| value == "true");
        return if is_required { Err(SignatureError::NotSigned) } else { Ok(()) };
    };
    let secret = settings::required("STRAVA_CLIENT_SECRET")?;
    let now = clock::unix_micros().unsigned_abs() / 1_000_000;
    let header = header.to_str().unwrap_or_default();
    Ok(signature::verify(header, body, secret.as_bytes(), now)?)
}
