//! Calls to other servers.
//!
//! An answer is read up to a bound and within a time, or it is a [`SendError`]. Where a call may go is decided by the host's
//! allow-list.

use std::time::Duration;

use wstd::future::FutureExt as _;
use wstd::http::body::Bytes;
use wstd::http::body::util::{BodyExt as _, LengthLimitError, Limited};
use wstd::http::{Body, Client, ErrorCode, HeaderMap, Request, StatusCode};

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// This function may not call that server.
    #[error("calls to that server are not allowed")]
    Forbidden,
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than the bound.
    #[error("the answer is too large")]
    TooLarge,
    /// The server can't be reached, or the connection broke.
    #[error("the server can't be reached")]
    Unreachable,
}

/// Sends a request and reads the answer: at most `bytes` of it, within `timeout`.
///
/// # Errors
///
/// A [`SendError`]. A status that says no is an answer, not an error.
pub async fn send(request: Request<Body>, bytes: usize, timeout: Duration) -> Result<Reply, SendError> {
    exchange(request, bytes)
        .timeout(wstd::time::Duration::from(timeout))
        .await
        .unwrap_or(Err(SendError::Timeout))
}

async fn exchange(request: Request<Body>, bytes: usize) -> Result<Reply, SendError> {
    let answer =
        Client::new().send(request).await.map_err(|error| match error.downcast_ref::<ErrorCode>() {
            Some(
                ErrorCode::HttpRequestDenied
                | ErrorCode::DestinationIpProhibited
                | ErrorCode::HttpRequestUriInvalid,
            ) => SendError::Forbidden,
            Some(
                ErrorCode::ConnectionTimeout
                | ErrorCode::HttpResponseTimeout
                | ErrorCode::ConnectionReadTimeout
                | ErrorCode::DnsTimeout,
            ) => SendError::Timeout,
            _ => SendError::Unreachable,
        })?;
    let (head, body) = answer.into_parts();
    let collected = Limited::new(body.into_boxed_body(), bytes).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { SendError::TooLarge } else { SendError::Unreachable }
    })?;
    Ok(Reply { status: head.status, headers: head.headers, body: collected.to_bytes() })
}
