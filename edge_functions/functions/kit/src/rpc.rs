//! Calls of the database's functions, as every Supabase function makes them: `POST SUPABASE_URL/rest/v1/rpc/<function>`, the body
//! being the one argument.
//!
//! The id of the request that is being served goes along, so that one id names the whole chain in every log. Whether to try again
//! is for the caller to decide.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use welltrack_core::limits::RPC_ANSWER_BYTES;
use wstd::http::{Body, HeaderMap, HeaderName, HeaderValue, Request, StatusCode};

use crate::outgoing::{self, SendError};
use crate::settings::{self, Missing};

/// The header that carries a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A statement that takes longer has lost its caller anyway.
const RPC_TIMEOUT: Duration = Duration::from_secs(30);

/// The database, with somebody's rights.
pub struct Rpc {
    base: String,
    bearer: HeaderValue,
    key: HeaderValue,
    request_id: Option<HeaderValue>,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The function refused: `code` is its SQLSTATE, such as `PT404`, whose digits are the status.
    #[error("the database refused ({status}, {code}): {message}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// SQLSTATE or a code of the API.
        code: String,
        /// What it says; the project's functions put no secret and no reading into it.
        message: String,
    },
    /// There was no answer.
    #[error("the database gave no answer: {0}")]
    NoAnswer(SendError),
    /// The answer is not what the function promises.
    #[error("the database gave an answer of another shape")]
    NotUnderstood,
}

impl RpcError {
    /// Whether the same call may succeed a moment later: the database is away, or was when it should have answered.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            RpcError::Refused { status, .. } => status.is_server_error(),
            RpcError::NoAnswer(_) => true,
            RpcError::NotUnderstood => false,
        }
    }

    /// Whether the function said that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, RpcError::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// Whether the caller's token is not good, or not good enough.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, RpcError::Refused { status, .. }
            if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// Whether the function said that somebody else was there before.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, RpcError::Refused { status, .. } if *status == StatusCode::CONFLICT)
    }
}

/// An error as PostgREST writes it.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Rpc {
    /// With the rights of the service role, on behalf of the request with these headers.
    ///
    /// # Errors
    ///
    /// [`Missing`] where the host's settings keep the key from this function.
    pub fn for_request(headers: &HeaderMap) -> Result<Self, Missing> {
        const KEY: &str = "SUPABASE_SERVICE_ROLE_KEY";
        let key = settings::required(KEY)?;
        Self::new(secret(KEY, &format!("Bearer {key}"))?, secret(KEY, &key)?, headers)
    }

    /// With the rights that the caller's own token gives, which is thereby checked; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Missing`] where a setting of every function is not there.
    pub fn as_caller(headers: &HeaderMap) -> Result<Option<Self>, Missing> {
        const KEY: &str = "SUPABASE_ANON_KEY";
        let Some(mut bearer) = headers.get("authorization").cloned() else { return Ok(None) };
        bearer.set_sensitive(true);
        Self::new(bearer, secret(KEY, &settings::required(KEY)?)?, headers).map(Some)
    }

    fn new(bearer: HeaderValue, key: HeaderValue, headers: &HeaderMap) -> Result<Self, Missing> {
        let base = settings::required("SUPABASE_URL")?.trim_end_matches('/').to_owned();
        Ok(Self { base, bearer, key, request_id: headers.get(REQUEST_ID).cloned() })
    }

    /// Calls `function` with `argument` and reads its result.
    ///
    /// # Errors
    ///
    /// See [`RpcError`].
    pub async fn call<R: DeserializeOwned>(
        &self,
        function: &str,
        argument: &(impl Serialize + ?Sized),
    ) -> Result<R, RpcError> {
        let body = serde_json::to_vec(argument).map_err(|_| RpcError::NotUnderstood)?;
        let mut request = Request::post(format!("{}/rest/v1/rpc/{function}", self.base))
            .header("content-type", "application/json")
            .header("authorization", &self.bearer)
            .header("apikey", &self.key);
        if let Some(id) = &self.request_id {
            request = request.header(REQUEST_ID, id);
        }
        let request = request.body(Body::from(body)).map_err(|_| RpcError::NoAnswer(SendError::Forbidden))?;
        let reply =
            outgoing::send(request, RPC_ANSWER_BYTES, RPC_TIMEOUT).await.map_err(RpcError::NoAnswer)?;
        if reply.status.is_success() {
            return serde_json::from_slice(&reply.body).map_err(|_| RpcError::NotUnderstood);
        }
        let refusal: Refusal = serde_json::from_slice(&reply.body).unwrap_or_default();
        Err(RpcError::Refused { status: reply.status, code: refusal.code, message: refusal.message })
    }
}

/// A header that no log shows.
fn secret(setting: &'static str, text: &str) -> Result<HeaderValue, Missing> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Missing(setting))?;
    value.set_sensitive(true);
    Ok(value)
}
