//! `welltrack-edge`: runs WASM edge functions behind Supabase's URLs.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use welltrack_edge::{Options, ServeOptions};

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

fn main() -> ExitCode {
    let done = match Command::parse().action {
        Action::Serve(options) => welltrack_edge::serve(&options, None),
        Action::Check(options) => welltrack_edge::check(&options, None),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("welltrack-edge: {error:#}");
            ExitCode::FAILURE
        }
    }
}
