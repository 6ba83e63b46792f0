//! `POST /functions/v1/garmin-webhook/<secret>` (or `?token=<secret>`): takes what Garmin pushes.
//!
//! It answers 200 only after every summary of the body is durably in the queue, whether it is understood or not. A body that was stored
//! before is stored once. A caller that does not know the secret, or is another client than the configured one, learns nothing from the
//! time it takes to say so. What a push means is for `process-events` to find out.
//!
//! Settings: GARMIN_WEBHOOK_SECRET; GARMIN_CLIENT_ID, where set, must be what the header `garmin-client-id` says.

use serde::Serialize;
use serde_json::Value;
use welltrack_core::providers::garmin;
use welltrack_core::providers::secret::same_secret;
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::rpc::Rpc;
use welltrack_kit::settings;
use wstd::http::{Body, Error, Method, Request, StatusCode};

/// What `receive_webhook_events` takes.
#[derive(Serialize)]
struct Push {
    source: &'static str,
    events: Vec<garmin::Event>,
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Answer, Error> {
    if request.method() != Method::POST {
        return Ok(answer::method_not_allowed("POST"));
    }
    if !is_garmin(&request)? {
        return Ok(answer::problem(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "wrong secret or client id"));
    }
    let rpc = Rpc::for_request(request.headers())?;
    let mut body = request.into_body();
    let Ok(events) = garmin::split(body.contents().await?) else {
        // The host counts answers by status.
        return Ok(answer::problem(StatusCode::BAD_REQUEST, "NOT_JSON", "the body is not JSON"));
    };
    match rpc.call::<Value>("receive_webhook_events", &Push { source: "garmin", events }).await {
        // Garmin takes anything but 200 for a failure.
        Ok(stored) => Ok(answer::json(StatusCode::OK, &stored)),
        Err(error) => {
            eprintln!("a push could not be stored: {error}");
            Ok(answer::try_again("the push could not be stored"))
        }
    }
}

/// Whether the caller knows what only Garmin was told.
fn is_garmin(request: &Request<Body>) -> Result<bool, settings::Missing> {
    let secret = settings::required("GARMIN_WEBHOOK_SECRET")?;
    let uri = request.uri();
    let in_path = uri.path().strip_prefix("/garmin-webhook/").unwrap_or_default();
    let in_query = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("token="));
    // Both are compared, so that the time does not say which one was near.
    let known =
        [in_path, in_query.unwrap_or_default()].map(|given| same_secret(given.as_bytes(), secret.as_bytes()));
    let is_client = settings::optional("GARMIN_CLIENT_ID").is_none_or(|id| {
        let given = request.headers().get("garmin-client-id").map_or(&b""[..], |value| value.as_bytes());
        same_secret(given, id.as_bytes())
    });
    Ok((known[0] | known[1]) & is_client)
}
