//! What a local host serves beside the functions: the rest of Supabase.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use welltrack_api::jwt::Verifier;

use crate::error::Cause;
use crate::settings::{Environment, HostRule};

/// The services of Supabase that a local host runs itself. `welltrack-edge` has none.
pub trait StandIns: Sync {
    /// Values for variables that nobody set. The host is at `address`.
    fn defaults(&self, address: SocketAddr) -> Vec<(&'static str, String)>;

    /// Hosts that every function may call, even at an address of this machine.
    fn allowed_hosts(&self) -> &[HostRule];

    /// What keeps their crates from quoting people's values in the log: directives of `tracing_subscriber::EnvFilter`.
    fn log_directives(&self) -> &[&'static str];

    /// Starts them. Their routes are served beside `/functions/v1`.
    ///
    /// # Errors
    ///
    /// When one of them can't start, for example because its database is away.
    fn start<'a>(&'a self, project: Project<'a>) -> Starting<'a>;
}

/// The future of [`StandIns::start`].
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Router, Cause>> + Send + 'a>>;

/// The project that a host serves.
pub struct Project<'a> {
    /// `supabase/config.toml`.
    pub config: &'a Path,
    /// Its URL, its keys, its database.
    pub environment: &'a Environment,
    /// Who verifies its tokens.
    pub verifier: &'a Arc<Verifier>,
    /// How many connections to the database the settings give.
    pub database_connections: u32,
}
