//! `welltrack-edge`: runs WASM edge functions behind Supabase's URLs.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use welltrack_edge::{Options, QueueOptions, ServeOptions};

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
    /// Looks after providers' events that could not be processed: list, show, replay, discard.
    Queue(QueueOptions),
}

fn main() -> ExitCode {
    match run(Command::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("welltrack-edge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Serve(options) => welltrack_edge::serve(&options, None)?,
        Action::Check(options) => welltrack_edge::check(&options, None)?,
        Action::Queue(options) => welltrack_edge::queue(&options)?,
    }
    Ok(())
}
