//! Answers that the host gives itself.
//!
//! They have the form of Supabase's functions gateway, `{"code", "message"}`.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

/// Seconds after which a caller that was turned away may come again.
const RETRY_AFTER_S: u16 = 1;

/// An error with a code that programs can compare and a message for people.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(json!({ "code": code, "message": message }).to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// 503 with `Retry-After`.
pub(crate) fn come_again(code: &str, message: &str) -> Response<Body> {
    let mut answer = error(StatusCode::SERVICE_UNAVAILABLE, code, message);
    answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    answer
}

/// 404 for a path that leads nowhere.
pub(crate) fn not_found(message: &str) -> Response<Body> {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

/// An answer of `welltrack_api`, as the host sends it.
pub(crate) fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(Body::from)
}
