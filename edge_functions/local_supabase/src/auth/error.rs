//! GoTrue's errors, in both of the shapes that it gives them.
//!
//! A client that names API version 2024-01-01 or later gets `{"code", "message"}`, any other the older `{"code", "error_code",
//! "msg"}`. A weak password says why.

use bytes::Bytes;
use deadpool::managed::PoolError;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_postgres::error::SqlState;

const API_VERSION: &str = "x-supabase-api-version";
/// The version that renamed the keys of an error.
const NEW_ERRORS: &str = "2024-01-01";

/// Whether the client reads the newer shape. Dates written like this compare as text.
pub(super) fn wants_new_errors(headers: &HeaderMap) -> bool {
    headers
        .get(API_VERSION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|version| version >= NEW_ERRORS)
}

/// An error of GoTrue.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct AuthError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Why a password is weak.
    reasons: Option<[&'static str; 1]>,
}

impl AuthError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), reasons: None }
    }

    pub(super) fn bad_request(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn unprocessable(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn forbidden(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn weak_password(message: &str, reason: &'static str) -> Self {
        Self { reasons: Some([reason]), ..Self::unprocessable("weak_password", message) }
    }

    pub(super) fn no_authorization() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no_authorization", "This endpoint requires a valid Bearer token")
    }

    pub(super) fn session_not_found() -> Self {
        Self::forbidden("session_not_found", "Session from session_id claim in JWT does not exist")
    }

    pub(super) fn token_not_found() -> Self {
        Self::bad_request("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", message)
    }

    pub(super) fn into_response(self, new_shape: bool) -> Response<Bytes> {
        let mut body = Map::new();
        if new_shape {
            body.insert("code".to_owned(), json!(self.code));
            body.insert("message".to_owned(), json!(self.message));
        } else {
            body.insert("code".to_owned(), json!(self.status.as_u16()));
            body.insert("error_code".to_owned(), json!(self.code));
            body.insert("msg".to_owned(), json!(self.message));
        }
        if let Some(reasons) = self.reasons {
            body.insert("weak_password".to_owned(), json!({ "reasons": reasons }));
        }
        let mut response = json(self.status, &Value::Object(body));
        let headers = response.headers_mut();
        headers.insert("x-sb-error-code", HeaderValue::from_static(self.code));
        if new_shape {
            headers.insert(API_VERSION, HeaderValue::from_static(NEW_ERRORS));
        }
        response
    }
}

/// What the database refuses is the request's fault where its class says so.
impl From<tokio_postgres::Error> for AuthError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if code == &SqlState::UNIQUE_VIOLATION => {
                Self::unprocessable("user_already_exists", "User already registered")
            }
            // A text that can't be stored.
            Some(code) if code.code().starts_with("22") => {
                Self::bad_request("validation_failed", "The database does not take these values")
            }
            Some(_) => Self::internal("Database error saving new user"),
            None => Self::unavailable(),
        }
    }
}

impl From<PoolError<tokio_postgres::Error>> for AuthError {
    fn from(_: PoolError<tokio_postgres::Error>) -> Self {
        Self::unavailable()
    }
}

impl AuthError {
    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unexpected_failure", "The database is away")
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
