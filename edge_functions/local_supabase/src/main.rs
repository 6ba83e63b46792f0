//! `welltrack-local`: the edge host with the rest of Supabase beside it, for a developer's machine.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use welltrack_edge::{HostRule, Options, QueueOptions, ServeOptions};
use welltrack_local::LocalSupabase;

/// Runs WASM edge functions, and what apps need of Supabase beside them, on this machine.
///
/// Serves /functions/v1 as welltrack-edge does, /rest/v1, and what signing in needs of /auth/v1. Where no keys are set it takes the
/// well-known ones of `supabase start`, so it listens on addresses of this machine only. Never deploy it: that is what welltrack-edge
/// is for.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Serves until SIGTERM or SIGINT, then finishes what runs.
    Serve {
        #[command(flatten)]
        options: ServeOptions,
        #[command(flatten)]
        local: LocalOptions,
    },
    /// Reads the settings and loads every component, and starts nothing.
    Check {
        #[command(flatten)]
        options: Options,
        #[command(flatten)]
        local: LocalOptions,
    },
    /// Looks after providers' events that could not be processed: list, show, replay, discard.
    Queue(QueueOptions),
}

#[derive(Args)]
struct LocalOptions {
    /// A host that every function may call, even at an address of this machine. For tests and simulators.
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_host: Vec<HostRule>,
}

impl From<LocalOptions> for LocalSupabase {
    fn from(options: LocalOptions) -> Self {
        Self { allowed_hosts: options.allow_host }
    }
}

fn main() -> ExitCode {
    match run(Command::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("welltrack-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Serve { options, local } => {
            welltrack_edge::serve(&options, Some(&LocalSupabase::from(local)))?;
        }
        Action::Check { options, local } => {
            welltrack_edge::check(&options, Some(&LocalSupabase::from(local)))?;
        }
        Action::Queue(options) => welltrack_edge::queue(&options)?,
    }
    Ok(())
}
