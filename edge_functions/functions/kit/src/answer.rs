//! Answers to callers.

use serde::Serialize;
use serde_json::json;
use wstd::http::{Body, HeaderValue, Response, StatusCode};

/// What a function answers.
pub type Answer = Response<Body>;

/// JSON.
#[must_use]
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/json", body),
        // Only maps whose keys are no texts can't be written.
        Err(_) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the answer can't be written as JSON")
        }
    }
}

/// Something is wrong: `{"code", "message"}`, as the host itself says it. Neither may hold a secret.
#[must_use]
pub fn problem(status: StatusCode, code: &str, message: &str) -> Answer {
    with_type(status, "application/json", json!({"code": code, "message": message}).to_string().into_bytes())
}

/// The path knows no such method; `allowed` are those that it knows.
#[must_use]
pub fn method_not_allowed(allowed: &str) -> Answer {
    let message = format!("Method not allowed: use {allowed}");
    problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message)
}

/// The work could not be done now: whoever sent it should send it again.
#[must_use]
pub fn try_again(message: &str) -> Answer {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "TRY_AGAIN", message);
    answer.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    answer
}

/// No body.
#[must_use]
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    answer
}
