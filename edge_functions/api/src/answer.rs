//! Answers in PostgREST's words: a JSON body, or an error of code, details, hint and message.
//!
//! Keys are in alphabetical order and the content type names its charset, because that is what PostgREST sends.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;

/// The body of an error, as PostgREST writes it. Clients branch on `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// An SQLSTATE, or `PGRST` and three digits.
    pub code: String,
    /// More about this case.
    pub details: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What went wrong.
    pub message: String,
}

impl Problem {
    /// A problem with a code and a message only.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), details: None, hint: None, message: message.into() }
    }

    /// The same with details.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The answer that carries it. A 401 says what would satisfy it, as HTTP demands.
    pub fn into_response(self, status: StatusCode) -> Response<Bytes> {
        let challenge = (status == StatusCode::UNAUTHORIZED).then(|| challenge(&self));
        let mut response = json(status, &self);
        if let Some(value) = challenge.and_then(|text| text.parse().ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// `Bearer`, with the reason when a token was sent and not accepted.
fn challenge(problem: &Problem) -> String {
    match problem.code.as_str() {
        "PGRST301" | "PGRST303" => {
            format!("Bearer error=\"invalid_token\", error_description=\"{}\"", problem.message)
        }
        _ => "Bearer".to_owned(),
    }
}

/// Any JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    // Bodies here are plain structures of strings and JSON values: they always serialise.
    json_text(status, serde_json::to_vec(body).unwrap_or_default().into())
}

/// A JSON answer whose text is already there.
pub fn json_text(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    response
}
