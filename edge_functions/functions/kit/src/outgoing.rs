//! Calls to other servers.
//!
//! Promises: an answer is read up to a bound and within a time, or it is a [`Trouble`]. Stops at where a call may go: that is the
//! host's allow-list.

use std::fmt;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This function may not call that server.
    Forbidden,
    /// It took too long.
    Timeout,
    /// The answer is larger than the bound.
    TooLarge,
    /// The server can't be reached, or the connection broke.
    Unreachable,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::Forbidden => "calls to that server are not allowed",
            Trouble::Timeout => "no answer in time",
            Trouble::TooLarge => "the answer is too large",
            Trouble::Unreachable => "the server can't be reached",
        })
    }
}

impl std::error::Error for Trouble {}

/// Sends a request and reads the answer: at most `bytes` of it, within `patience`.
///
/// # Errors
///
/// A [`Trouble`]. A status that says no is an answer, not an error.
pub async fn send(request: Request<Body>, bytes: usize, patience: Duration) -> Result<Reply, Trouble> {
    exchange(request, bytes)
        .timeout(wstd::time::Duration::from(patience))
        .await
        .unwrap_or(Err(Trouble::Timeout))
}

async fn exchange(request: Request<Body>, bytes: usize) -> Result<Reply, Trouble> {
    let answer =
        Client::new().send(request).await.map_err(|error| match error.downcast_ref::<ErrorCode>() {
            Some(
                ErrorCode::HttpRequestDenied
                | ErrorCode::DestinationIpProhibited
                | ErrorCode::HttpRequestUriInvalid,
            ) => Trouble::Forbidden,
            Some(
                ErrorCode::ConnectionTimeout
                | ErrorCode::HttpResponseTimeout
                | ErrorCode::ConnectionReadTimeout
                | ErrorCode::DnsTimeout,
            ) => Trouble::Timeout,
            _ => Trouble::Unreachable,
        })?;
    let (head, body) = answer.into_parts();
    let collected = Limited::new(body.into_boxed_body(), bytes).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Trouble::TooLarge } else { Trouble::Unreachable }
    })?;
    Ok(Reply { status: head.status, headers: head.headers, body: collected.to_bytes() })
}
