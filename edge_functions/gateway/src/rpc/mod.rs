//! The short way to an SQL function.

use crate::{answer::Problem, jwt::Caller};
use bytes::Bytes;
use http::{Response, StatusCode};

/// Connections to the database, logged in as the authenticator.
#[derive(Clone, Debug)]
pub struct Pool {}

/// A database URL or a size that makes no pool.
#[derive(Debug, thiserror::Error)]
#[error("the database URL can't be read")]
pub struct ConnectError;

impl Pool {
    /// A pool of at most `size` connections.
    ///
    /// # Errors
    /// When the URL can't be read. A database that is away is no error: calls are answered 503 until it is back.
    pub async fn connect(_db_url: &str, _size: usize) -> Result<Self, ConnectError> {
        Ok(Self {})
    }

    /// Whether `public.<function>` takes one unnamed `jsonb` and returns `jsonb`: what the short way answers. All else
    /// goes the long way.
    pub async fn serves(&self, _function: &str) -> bool {
        false
    }

    /// Answers `POST /rest/v1/rpc/<function>` with a JSON body, as PostgREST would. Dropping the future rolls back.
    pub async fn call(
        &self,
        _function: &str,
        _body: Bytes,
        _caller: &Caller,
        _request_id: &str,
    ) -> Response<Bytes> {
        Problem::new("PGRST000", "Database connection error. Retrying the connection.")
            .into_response(StatusCode::SERVICE_UNAVAILABLE)
    }
}
