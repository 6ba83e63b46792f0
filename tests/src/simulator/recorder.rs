//! What passes every request of the providers' pages: the fault that it meets, and the note that is taken of it.
//!
//! Promises: each request is noted once, with the fault that it met, whether or not its client waited for the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;
use super::faults::{Endpoint, Fault};
use super::{pages, strava_pages};

/// A request to a provider's page, and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// The door.
    pub endpoint: Endpoint,
    /// `GET`.
    pub method: String,
    /// With the query, if there was one.
    pub path: String,
    /// The access token that came with it.
    pub bearer: Option<String>,
    /// The form or JSON that came with it: small, and invented as everything here.
    pub body: String,
    /// The answer's status; 0 where the connection was left without one.
    pub status: u16,
    /// The fault that was switched on for it.
    pub fault: Option<Fault>,
}

impl Seen {
    /// Whether it asked for new tokens by a refresh token.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.body.contains("grant_type=refresh_token")
            || (self.body.contains("grant_type") && self.body.contains("\"refresh_token\""))
            || self.path.contains("grant_type=refresh_token")
    }
}

pub(super) async fn record(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(endpoint) = pages::endpoint(request.uri().path()) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (fault, healing) = {
        let mut state = shared.state();
        (state.faults.draw(endpoint), state.faults.healing())
    };
    let mut seen = Seen {
        endpoint,
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        bearer: bearer(&parts.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: 0,
        fault,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let answer = match fault {
        None => next.run(request).await,
        Some(Fault::Cut) => cut(next.run(request).await).await,
        Some(Fault::Hang(millis)) => {
            // Noted now: the client may have gone before the end.
            shared.state().seen.push(seen);
            return hang(Duration::from_millis(millis), healing).await;
        }
        Some(Fault::RateLimited(window)) => strava_pages::rate_limited(window),
        Some(Fault::Status(code)) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, axum::Json(serde_json::json!({"message": "a fault was asked for", "errors": []})))
                .into_response()
        }
    };
    seen.status = answer.status().as_u16();
    shared.state().seen.push(seen);
    answer
}

/// The access token of a bearer header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// Nothing for a while, and then nothing more.
async fn hang(how_long: Duration, mut healing: tokio::sync::watch::Receiver<u64>) -> Response {
    tokio::select! {
        () = tokio::time::sleep(how_long) => {}
        _ = healing.changed() => {}
    }
    broken(Bytes::new(), 1)
}

/// The first half of an answer.
async fn cut(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let whole = to_bytes(body, 1 << 24).await.unwrap_or_default();
    let mut half = broken(whole.slice(..whole.len() / 2), whole.len().max(1));
    *half.status_mut() = parts.status;
    half
}

/// An answer that promises `length` bytes and breaks off after `given`.
fn broken(given: Bytes, length: usize) -> Response {
    // In two steps, so that the head and what was given leave before the break.
    let given = futures_util::stream::once(async { Ok(given) });
    let end = futures_util::stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut off"))
    });
    let mut answer = Response::new(Body::from_stream(futures_util::StreamExt::chain(given, end)));
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}
