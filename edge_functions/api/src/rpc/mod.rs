//! The short way to an SQL function: `POST /rest/v1/rpc/<function>` without PostgREST in between.
//!
//! Promises: for functions of `public` that take one unnamed `jsonb` and return `jsonb` the answer is PostgREST's, status and
//! error body included. Role, claims and request go with the call in one transaction and one round trip: `begin`, the
//! settings, `select f($1)` and `commit` are sent together, so a statement that fails turns the `commit` into a rollback.
//! Commits are as durable as the database's settings make them. A dropped call is cancelled and rolled back. A database that
//! goes away is answered 503 and found again by itself. Nothing of a body or of the claims is ever logged.
//!
//! Stops at functions of any other shape, at media types other than JSON and at `Prefer`: [`Pool::serves`] says what goes
//! the long way. `response.status` and `response.headers` are honoured; where they can't be read, PostgREST answers 500 and
//! rolls back, and here the answer is the same but the transaction stands.

mod catalogue;
mod flight;
mod outcome;
mod together;

use crate::{AddressError, database, jwt::Caller};
use bytes::Bytes;
use catalogue::{Catalogue, Known};
use deadpool::managed::PoolError;
use flight::{Call, Common, Flight, Statements};
use http::Response;
use std::{fmt, sync::Arc};
use together::Together;

/// Connections to the database, logged in as the authenticator. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    connections: database::Pool,
    catalogue: Arc<Catalogue>,
    together: Arc<Together>,
}

impl Pool {
    /// A pool of at most `size` connections (at least one), opened as calls need them.
    /// # Errors
    /// When the URL can't be read. A database that is away is no error: calls are answered 503 until it is back.
    pub async fn connect(db_url: &str, size: usize) -> Result<Self, AddressError> {
        // What PostgREST sets for each request (db-schemas, then db-extra-search-path) holds here for the connection.
        let connections = database::pool(db_url, size, "public,extensions")?;
        let pool = Self { connections, catalogue: Arc::default(), together: Arc::default() };
        // Read ahead, so that the first call is no slower than the next. If it fails, the first call reads again.
        if let Ok(connection) = pool.connections.get().await {
            let _ = pool.catalogue.find(&connection, "").await;
        }
        Ok(pool)
    }

    /// The pool, with functions whose calls may share a transaction with others that come at the same time under the same
    /// claims: one commit for all of them. Each is answered after it, and one that fails fails alone; but a caller who goes
    /// may find the call made.
    #[must_use]
    pub fn sharing(self, functions: Vec<String>) -> Self {
        Self { together: Arc::new(Together::new(functions)), ..self }
    }

    /// Whether `public.<function>` takes one unnamed `jsonb` and returns `jsonb`: what the short way answers. All else
    /// goes the long way. While the database is away everything is taken to be served, so that it is answered 503.
    pub async fn serves(&self, function: &str) -> bool {
        if let Some(known) = self.catalogue.remembered(function) {
            return matches!(known, Known::Function(_));
        }
        match self.connections.get().await {
            Ok(connection) => !matches!(self.catalogue.find(&connection, function).await, Ok(Known::Nothing)),
            Err(_) => true,
        }
    }

    /// Answers `POST /rest/v1/rpc/<function>` with a JSON body, as PostgREST would. Dropping the future rolls back.
    ///
    /// `request_id` is what SQL sees as `current_setting('request.headers')::json ->> 'x-request-id'`.
    pub async fn call(
        &self,
        function: &str,
        body: Bytes,
        caller: &Caller,
        request_id: &str,
    ) -> Response<Bytes> {
        match self.try_call(function, body, caller, request_id).await {
            Ok(response) => response,
            Err(failure) => failure.into_response(caller.role),
        }
    }

    async fn try_call(
        &self,
        function: &str,
        body: Bytes,
        caller: &Caller,
        request_id: &str,
    ) -> Result<Response<Bytes>, Failure> {
        outcome::check_body(&body)?;
        let Known::Function(plan) = self.known(function).await? else {
            return Ok(outcome::no_function(function, &body));
        };
        let common = Common { function, role: caller.role, claims: &caller.raw };
        let call = Call { body, id: request_id.to_owned() };
        if self.together.takes(&common, &call)
            && let Some(answer) = together::make(self, &plan, &common, call.clone()).await?
        {
            return Ok(outcome::success(answer));
        }
        let mut connection = self.connections.get().await?;
        let statements = match Statements::prepare(&mut connection, &plan, caller.role).await {
            Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_FUNCTION) => {
                // Dropped since the catalogue was read.
                self.catalogue.forget();
                return Ok(outcome::no_function(function, &call.body));
            }
            prepared => prepared?,
        };
        let mut answers = Flight::new(connection).run(&plan, &statements, &common, &[call]).await?;
        Ok(outcome::success(answers.pop().ok_or(Failure::Lost)?))
    }

    async fn known(&self, function: &str) -> Result<Known, Failure> {
        if let Some(known) = self.catalogue.remembered(function) {
            return Ok(known);
        }
        let connection = self.connections.get().await?;
        Ok(self.catalogue.find(&connection, function).await?)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("connections", &self.connections.status()).finish_non_exhaustive()
    }
}

/// Why a call has no result of its function.
#[derive(Debug)]
enum Failure {
    /// The body is no JSON that PostgREST takes.
    Body(&'static str),
    /// No connection became free in time.
    Busy,
    /// No connection could be opened.
    Unreachable(tokio_postgres::Error),
    /// The database refused, or went away on the way.
    Database(tokio_postgres::Error),
    /// The connection broke: whether the commit was reached, nobody can tell.
    Lost,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<PoolError<tokio_postgres::Error>> for Failure {
    fn from(error: PoolError<tokio_postgres::Error>) -> Self {
        match error {
            PoolError::Backend(error) => Self::Unreachable(error),
            _ => Self::Busy,
        }
    }
}
