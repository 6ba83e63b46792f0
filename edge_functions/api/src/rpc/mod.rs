//! The short way to an SQL function: `POST /rest/v1/rpc/<function>` without PostgREST in between.
//!
//! For functions of `public` that take one unnamed `jsonb` and return `jsonb` the answer is PostgREST's, status and error body
//! included. A call is one transaction and one round trip. A dropped call is cancelled and rolled back. Nothing of a body or of the
//! claims is ever logged. ARCHITECTURE.md, "The short way to rpc", has the details.

mod catalogue;
mod commit_batch;
mod failure;
mod response;
mod transaction;

use crate::{AddressError, database, jwt::Caller};
use bytes::Bytes;
use catalogue::{Catalogue, Known};
use commit_batch::CommitBatches;
use failure::Failure;
use http::Response;
use std::{fmt, sync::Arc};
use transaction::{Call, Common, Statements, Transaction};

/// Connections to the database, logged in as the authenticator. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    connections: database::Pool,
    catalogue: Arc<Catalogue>,
    batches: Arc<CommitBatches>,
}

impl Pool {
    /// A pool of at most `size` connections (at least one), opened as calls need them.
    /// # Errors
    /// When the URL can't be read. A database that is away is no error: calls are answered 503 until it is back.
    pub async fn connect(db_url: &str, size: usize) -> Result<Self, AddressError> {
        // What PostgREST sets for each request (db-schemas, then db-extra-search-path) holds here for the connection.
        let connections = database::pool(db_url, size, "public,extensions")?;
        let pool = Self { connections, catalogue: Arc::default(), batches: Arc::default() };
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
        Self { batches: Arc::new(CommitBatches::new(functions)), ..self }
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
        response::check_body(&body)?;
        let Known::Function(plan) = self.known(function).await? else {
            return Ok(response::no_function(function, &body));
        };
        let common = Common { function, role: caller.role, claims: &caller.raw };
        let call = Call { body, id: request_id.to_owned() };
        if self.batches.takes(&common, &call)
            && let Some(answer) =
                commit_batch::make(&self.batches, &self.connections, &plan, &common, call.clone()).await?
        {
            return Ok(response::success(answer));
        }
        let mut connection = self.connections.get().await?;
        let statements = match Statements::prepare(&mut connection, &plan, caller.role).await {
            Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_FUNCTION) => {
                // Dropped since the catalogue was read.
                self.catalogue.forget();
                return Ok(response::no_function(function, &call.body));
            }
            prepared => prepared?,
        };
        let mut answers = Transaction::new(connection).run(&plan, &statements, &common, &[call]).await?;
        Ok(response::success(answers.pop().ok_or(Failure::Lost)?))
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
