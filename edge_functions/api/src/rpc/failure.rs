//! Why a call of an SQL function has no result.

use deadpool::managed::PoolError;

/// Why a call has no result of its function.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The body is no JSON that PostgREST takes.
    #[error("{0}")]
    Body(&'static str),
    /// No connection became free in time.
    #[error("no connection became free in time")]
    Busy,
    /// No connection could be opened.
    #[error("no connection could be opened")]
    Unreachable(#[source] tokio_postgres::Error),
    /// The database refused, or went away on the way.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    /// The connection broke: whether the commit was reached, nobody can tell.
    #[error("the connection broke")]
    Lost,
}

impl From<PoolError<tokio_postgres::Error>> for Failure {
    fn from(error: PoolError<tokio_postgres::Error>) -> Self {
        match error {
            PoolError::Backend(error) => Self::Unreachable(error),
            _ => Self::Busy,
        }
    }
}
