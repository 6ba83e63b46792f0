//! `welltrack-edge`: runs WASM edge functions behind Supabase's URLs.
//!
//! Promises: what README.md beside this folder says. Stops at one process: it keeps no state, so any number may run.

mod answer;
mod functions;
mod linger;
mod logs;
mod metrics;
mod routes;
mod runtime;
mod serve;
mod server;
mod settings;
mod triggers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::HostRule;

/// The header that carries a request's id: in, through, and out.
pub(crate) const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");

/// Runs WASM edge functions behind Supabase's URLs.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Serves until SIGTERM or SIGINT, then finishes what runs.
    Serve(ServeOptions),
    /// Reads the settings and loads every component, and starts nothing.
    Check(Options),
}

/// Where everything is.
#[derive(Args)]
pub(crate) struct Options {
    /// Supabase's settings; `functions.toml` is looked for beside it.
    #[arg(long, default_value = "supabase/config.toml")]
    config: PathBuf,
    /// The folder of the components, `<name>.wasm` each.
    #[arg(long)]
    components: PathBuf,
    /// A file of NAME=value lines; the environment goes before it.
    #[arg(long)]
    env_file: Option<PathBuf>,
    /// Where compiled components are kept; without it they are compiled at every start.
    #[arg(long, env = "WELLTRACK_EDGE_CACHE")]
    cache: Option<PathBuf>,
    /// Also serves /rest/v1 and what signing in needs of /auth/v1, on this machine only, with the well-known keys of `supabase
    /// start` where none are set.
    #[arg(long)]
    local: bool,
    /// A host that every function may call, even at an address of this machine. For tests and simulators.
    #[arg(long, value_name = "HOST[:PORT]", requires = "local")]
    allow_host: Vec<HostRule>,
    /// The form of the log.
    #[arg(long, value_enum, default_value = "text")]
    log: logs::Form,
    /// How much is logged. `debug` shows what functions print, which may be what people measured.
    #[arg(long, value_enum, default_value = "info")]
    log_level: logs::Level,
}

#[derive(Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    common: Options,
    /// Where to listen; port 0 takes a free one, which the log tells.
    #[arg(long, default_value = "127.0.0.1:54321")]
    listen: SocketAddr,
    /// Seconds that running calls have to finish when the host is told to stop.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    grace: u64,
}

fn main() -> ExitCode {
    let done = match Command::parse().action {
        Action::Serve(options) => serve::serve(&options),
        Action::Check(options) => serve::check(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("welltrack-edge: {error:#}");
            ExitCode::FAILURE
        }
    }
}
