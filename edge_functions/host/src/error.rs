//! Why a host can't start.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use welltrack_api::AddressError;
use welltrack_api::jwt::{self, JwtError};

/// Any error, as the cause of another.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// A file of settings or a variable that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a folder can't be read.
    #[error("can't read {0}")]
    Unreadable(String, #[source] Cause),
    /// A key that is unknown or a value that is not legal: file, line and what is legal.
    #[error("{0}")]
    Illegal(String),
    /// The file of `--env-file` has other lines. They are not quoted: they may hold secrets.
    #[error("{0} is not a list of NAME=value lines")]
    EnvFile(String),
    /// A variable that must be set is not.
    #[error("{0} is not set (in the environment, or the file of --env-file)")]
    Missing(&'static str),
    /// `SUPABASE_URL` is no origin.
    #[error("SUPABASE_URL must be http(s)://host[:port], without a path")]
    Url,
}

impl SettingsError {
    pub(crate) fn unreadable(path: &Path, cause: impl Into<Cause>) -> Self {
        Self::Unreadable(path.display().to_string(), cause.into())
    }
}

/// What stops the start of a host.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The keys for tokens can't be used.
    #[error(transparent)]
    Keys(#[from] jwt::SettingsError),
    /// The database's URL can't be used.
    #[error(transparent)]
    Database(#[from] AddressError),
    /// `SUPABASE_SERVICE_ROLE_KEY` is signed by somebody else, or has expired.
    #[error("SUPABASE_SERVICE_ROLE_KEY is no token of this project")]
    ServiceKey(#[source] JwtError),
    /// `SUPABASE_SERVICE_ROLE_KEY` is a token of another role.
    #[error("SUPABASE_SERVICE_ROLE_KEY is not the service role's")]
    ServiceRole,
    /// A component can't be loaded.
    #[error("can't load {0}")]
    Component(String, #[source] LoadError),
    /// The engine refuses its settings, or the machine can't give it the address space.
    #[error("can't start the WebAssembly engine")]
    Engine(#[source] Cause),
    /// The folder of compiled code can't be made or used.
    #[error("can't make the cache {0}")]
    Cache(String, #[source] Cause),
    /// Compiled code is run as it is found, so whoever can write it rules the host.
    #[error("the cache {0} can be written by others: make it this user's own, with mode 0700")]
    OpenCache(String),
    /// No client for the functions' calls can be made.
    #[error("can't make the client for outgoing calls")]
    Client(#[source] Cause),
    /// The address is taken, or not this machine's.
    #[error("can't listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// A local host would be open to others.
    #[error(
        "a local host hands out keys that everybody knows, so it listens on this machine only: {0} is not. \
         What to do: --listen 127.0.0.1:PORT"
    )]
    NotThisMachine(SocketAddr),
    /// A stand-in for a service of Supabase can't start.
    #[error("can't start the stand-ins for Supabase")]
    StandIns(#[source] Cause),
    /// There is a log already.
    #[error("can't start the log")]
    Log(#[source] Cause),
    /// The system refuses something that every program needs.
    #[error("can't start")]
    System(#[from] io::Error),
}

/// Why a component can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no component, or asks for what the host doesn't offer.
    #[error(transparent)]
    Component(Cause),
    /// It is one of another world.
    #[error("it does not export wasi:http/incoming-handler 0.2")]
    World(#[source] Cause),
    /// The compiler failed in its own way.
    #[error("the compiler panicked")]
    Panicked,
}

/// An error with its causes, on one line: `a: b: c`.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(to, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_each_cause_once() {
        let refused = io::Error::new(io::ErrorKind::AddrInUse, "taken");
        let error = StartError::Listen("127.0.0.1:1".parse().unwrap(), refused);
        assert_eq!(Chain(&error).to_string(), "can't listen on 127.0.0.1:1: taken");
    }
}
