//! The edge host as a library: `welltrack-edge` is this and nothing more, `welltrack-local` puts the rest of Supabase beside it.
//!
//! It does what README.md beside this folder says. A host keeps no state, so any number may run on one database.

mod answer;
mod error;
mod functions;
mod linger;
mod logs;
mod metrics;
mod options;
mod queue;
mod routes;
mod runtime;
mod serve;
mod server;
mod settings;
mod stand_ins;
mod triggers;

pub use error::{Cause, LoadError, SettingsError, StartError};
pub use options::{Options, ServeOptions};
pub use queue::{QueueError, QueueOptions, queue};
pub use serve::{check, serve};
pub use settings::{Environment, HostRule, ValueError};
pub use stand_ins::{Project, StandIns, Starting};

/// The header that carries a request's id: in, through, and out.
pub(crate) const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");
