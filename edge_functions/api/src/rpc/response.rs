//! What a call's result or failure looks like to a client: PostgREST's statuses and bodies.
//!
//! `PT` codes, `PGRST` raises, `response.*` settings and every SQLSTATE are answered by PostgREST's own table. Source:
//! PostgREST's documentation, "Errors" and "Functions as RPC".

use super::failure::Failure;
use crate::{
    answer::{self, Problem},
    jwt::Role,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use tokio_postgres::error::{DbError, SqlState};

/// What a function gave back.
pub(super) struct Answer {
    /// The JSON text; none for an SQL null.
    pub(super) body: Option<Bytes>,
    /// `response.status`.
    pub(super) status: Option<String>,
    /// `response.headers`.
    pub(super) headers: Option<String>,
}

/// Whether PostgREST would take the body: JSON, and where it is a list, one of objects with the same keys.
pub(super) fn check_body(body: &[u8]) -> Result<(), Failure> {
    const INVALID: Failure = Failure::Body("Empty or invalid json");
    const MISMATCH: Failure = Failure::Body("All object keys must match");
    if body.is_empty() {
        return Ok(());
    }
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    // Only reading an escape in full tells whether it is a character: half a surrogate is none.
    let has_escapes = body.windows(2).any(|pair| pair == br"\u");
    if !is_list {
        let valid = match has_escapes {
            true => serde_json::from_slice::<Value>(body).is_ok(),
            false => serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok(),
        };
        return if valid { Ok(()) } else { Err(INVALID) };
    }
    let rows: Vec<Value> = serde_json::from_slice(body).map_err(|_| INVALID)?;
    let Some(keys) = rows.first().map(keys_of) else { return Ok(()) };
    let matching = keys.is_some() && rows.iter().all(|row| keys_of(row) == keys);
    if matching { Ok(()) } else { Err(MISMATCH) }
}

fn keys_of(row: &Value) -> Option<std::collections::BTreeSet<&String>> {
    Some(row.as_object()?.keys().collect())
}

pub(super) fn success(answer: Answer) -> Response<Bytes> {
    let mut response = answer::json_text(StatusCode::OK, answer.body.unwrap_or(Bytes::from_static(b"null")));
    response.headers_mut().insert(header::CONTENT_RANGE, HeaderValue::from_static("0-0/*"));
    if let Some(text) = &answer.status {
        let Some(status) = text.parse().ok().and_then(status_of) else {
            return Problem::new("PGRST112", "response.status guc must be a valid status code")
                .into_response(StatusCode::INTERNAL_SERVER_ERROR);
        };
        *response.status_mut() = status;
    }
    if let Some(text) = &answer.headers {
        let Some(headers) = response_headers(text) else {
            return Problem::new(
                "PGRST111",
                "response.headers guc must be a JSON array composed of objects with a single key and a string value",
            )
            .into_response(StatusCode::INTERNAL_SERVER_ERROR);
        };
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `[{"name": "value"}, ...]`
fn response_headers(text: &str) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let list: Vec<Map<String, Value>> = serde_json::from_str(text).ok()?;
    list.iter()
        .map(|object| match object.iter().next() {
            Some(pair) if object.len() == 1 => header_of(pair),
            _ => None,
        })
        .collect()
}

fn header_of((name, value): (&String, &Value)) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.as_str()?.parse().ok()?))
}

/// A status that ends an exchange: 1xx would leave the client waiting.
fn status_of(number: u16) -> Option<StatusCode> {
    StatusCode::from_u16(number).ok().filter(|status| !status.is_informational())
}

pub(super) fn no_function(function: &str, body: &[u8]) -> Response<Bytes> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let names: Vec<_> = body.iter().flat_map(Map::keys).map(String::as_str).collect();
    let list = names.join(", ");
    let (signature, searched) = match names.len() {
        0 => (format!("public.{function} without parameters"), "without parameters".to_owned()),
        1 => (format!("public.{function}({list})"), format!("with parameter {list}")),
        _ => (format!("public.{function}({list})"), format!("with parameters {list}")),
    };
    Problem::new("PGRST202", format!("Could not find the function {signature} in the schema cache"))
        .details(format!(
            "Searched for the function public.{function} {searched} or with a single unnamed json/jsonb parameter, but \
             no matches were found in the schema cache."
        ))
        .into_response(StatusCode::NOT_FOUND)
}

impl Failure {
    pub(super) fn into_response(self, role: Role) -> Response<Bytes> {
        match self {
            Self::Body(message) => Problem::new("PGRST102", message).into_response(StatusCode::BAD_REQUEST),
            Self::Busy => Problem::new("PGRST003", "Timed out acquiring connection from connection pool.")
                .into_response(StatusCode::GATEWAY_TIMEOUT),
            Self::Unreachable(error) => {
                let problem = Problem::new("PGRST000", "Database connection error. Retrying the connection.");
                match error.as_db_error() {
                    Some(refused) => problem.details(refused.message()),
                    None => problem,
                }
                .into_response(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Database(error) => match error.as_db_error() {
                Some(refused) => database_refusal(refused, role),
                None => Self::Lost.into_response(role),
            },
            Self::Lost => Problem::new("PGRST001", "Database client error. Retrying the connection.")
                .into_response(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

fn database_refusal(error: &DbError, role: Role) -> Response<Bytes> {
    if error.code().code() == "PGRST" {
        return raised(error)
            .unwrap_or_else(|problem| problem.into_response(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let problem = Problem {
        code: error.code().code().to_owned(),
        details: error.detail().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
        message: error.message().to_owned(),
    };
    problem.into_response(status_of_refusal(error, role))
}

/// PostgREST's table from SQLSTATE to status.
fn status_of_refusal(error: &DbError, role: Role) -> StatusCode {
    let (code, message) = (error.code().code(), error.message());
    if let Some(digits) = code.strip_prefix("PT") {
        return digits.parse().ok().and_then(status_of).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    match error.code() {
        &SqlState::FOREIGN_KEY_VIOLATION | &SqlState::UNIQUE_VIOLATION => StatusCode::CONFLICT,
        &SqlState::READ_ONLY_SQL_TRANSACTION => StatusCode::METHOD_NOT_ALLOWED,
        &SqlState::CARDINALITY_VIOLATION if message.ends_with("requires a WHERE clause") => {
            StatusCode::BAD_REQUEST
        }
        &SqlState::CARDINALITY_VIOLATION => StatusCode::INTERNAL_SERVER_ERROR,
        &SqlState::INVALID_PARAMETER_VALUE
            if message.starts_with("role") && message.ends_with("does not exist") =>
        {
            StatusCode::UNAUTHORIZED
        }
        &SqlState::CONFIGURATION_LIMIT_EXCEEDED => StatusCode::INTERNAL_SERVER_ERROR,
        &SqlState::ADMIN_SHUTDOWN => StatusCode::SERVICE_UNAVAILABLE,
        &SqlState::RAISE_EXCEPTION => StatusCode::BAD_REQUEST,
        &SqlState::UNDEFINED_FUNCTION if message.starts_with("function xmlagg(") => {
            StatusCode::NOT_ACCEPTABLE
        }
        &SqlState::UNDEFINED_FUNCTION | &SqlState::UNDEFINED_TABLE => StatusCode::NOT_FOUND,
        &SqlState::INVALID_OBJECT_DEFINITION => StatusCode::INTERNAL_SERVER_ERROR,
        // Anonymous callers get 401 (they could still sign in); authenticated callers get 403.
        &SqlState::INSUFFICIENT_PRIVILEGE if role == Role::Anon => StatusCode::UNAUTHORIZED,
        &SqlState::INSUFFICIENT_PRIVILEGE => StatusCode::FORBIDDEN,
        _ => match code.get(..2) {
            Some("08" | "53") => StatusCode::SERVICE_UNAVAILABLE,
            Some("0L" | "0P" | "28") => StatusCode::FORBIDDEN,
            Some(
                "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0" | "HV"
                | "P0" | "XX",
            ) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        },
    }
}

/// `raise sqlstate 'PGRST'`: the message is the body, the detail is status and headers, both as JSON.
fn raised(error: &DbError) -> Result<Response<Bytes>, Problem> {
    let fault = |details: String, hint: &str| {
        Problem::new("PGRST121", "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")
            .details(details)
            .hint(hint)
    };
    let detail_fault = |details: String| {
        fault(
            details,
            "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.",
        )
    };
    let message: Map<String, Value> = serde_json::from_str(error.message())
        .ok()
        .filter(|object: &Map<_, _>| object.contains_key("code") && object.contains_key("message"))
        .ok_or_else(|| {
            fault(
                format!("Invalid JSON value for MESSAGE: '{}'", error.message()),
                "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
            )
        })?;
    let text =
        error.detail().ok_or_else(|| detail_fault("DETAIL is missing in the RAISE statement".to_owned()))?;
    let unreadable = || detail_fault(format!("Invalid JSON value for DETAIL: '{text}'"));
    let detail: Map<String, Value> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let status = detail.get("status").and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok());
    let status = status.and_then(status_of).ok_or_else(unreadable)?;
    let headers = detail.get("headers").and_then(Value::as_object).ok_or_else(unreadable)?;

    let key = |name: &str| message.get(name).cloned().unwrap_or_default();
    let body = json!({
        "code": key("code"), "details": key("details"), "hint": key("hint"), "message": key("message"),
    });
    let mut response = answer::json(status, &body);
    response
        .headers_mut()
        .extend(headers.iter().filter_map(header_of).map(|(name, value)| (Some(name), value)));
    Ok(response)
}
