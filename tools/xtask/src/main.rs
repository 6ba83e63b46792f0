//! The one script of WellTrack on Supabase.
//!
//! Promises: each command does whatever it depends on first, may be interrupted and run again, and is quick when there is nothing
//! to do. Stops at the checkout: the machine's own Postgres, Node modules and packages are never touched.

mod dev;
mod package;
mod queue;
mod schema;
mod setup;
mod test;
mod types;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use welltrack_demo::{self as demo, report};
use welltrack_stack::cluster::Durability;
use welltrack_stack::layout::Layout;
use welltrack_stack::{Stack, cmd, functions, ui};

/// Sets up, runs, tests and measures WellTrack on Supabase
///
/// Start with `cargo xtask demo`. Every command first does what it depends on: fetches a private Postgres, builds the extension,
/// starts the database, applies the migrations. The second time that takes moments.
///
/// State lives under .welltrack/ in the checkout: remove that folder and everything is gone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100, after_help = ENVIRONMENT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "Environment:
  WELLTRACK_DB_PORT   port of the development database (54322)
  WELLTRACK_API_PORT  port of its API and functions (54321)
  WELLTRACK_CLUSTER   name of the development database's cluster, to have several (dev)
  WELLTRACK_STATE     folder of all state (.welltrack in the checkout)
  WELLTRACK_CACHE     folder of downloaded packages and built tools (cache/ in the state)
  WELLTRACK_DATA      folder that holds lifesnaps/daily.csv (../shared/data beside the checkout)
  WELLTRACK_CHROMIUM  browser that the report is tested in (Debian's chromium-headless-shell, fetched)
  NO_COLOR            no colours";

#[derive(Subcommand)]
enum Command {
    /// Fetch and build everything that this machine lacks
    Setup {
        /// Use a copy of another Postgres (15, 16 or 17), named by its pg_config; remembered
        #[arg(long, value_name = "PATH")]
        pg_config: Option<PathBuf>,
        /// Go back to the Postgres of Debian's packages
        #[arg(long, conflicts_with = "pg_config")]
        debian: bool,
    },
    /// Start the database with every migration applied, and the API and the functions before it
    Up {
        /// Leave it running in the background
        #[arg(long, short)]
        detach: bool,
    },
    /// Stop the functions, the API and the database
    Down,
    /// Say what runs, where, and which migrations are applied
    Status,
    /// Throw the local data away and make the schema anew
    Reset,
    /// Open psql on the development database as `postgres`
    Psql {
        /// Arguments for psql, such as -c "select 1"
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Look after providers' events that could not be processed: list, show, replay, discard
    #[command(disable_help_flag = true)]
    Queue {
        /// What `welltrack-edge queue` takes, such as `list --source garmin`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Show the main job: people sign up, readings come in from phones and providers, baselines, scores and forecasts come out
    Demo,
    /// Draw people's recovery and goals: a page for the phone, and a picture of each
    ///
    /// Shows the last 60 days of whoever has any, as `cargo xtask demo` leaves them: scores and what they are made of, the
    /// resting heart rate within its baseline, each goal's trend with its 95 % band and projected date.
    Report {
        /// Only people whose name begins so
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
        /// Folder for index.html and the pictures (.welltrack/report)
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Build the edge functions to WebAssembly components in .welltrack/functions/
    Functions {
        /// Build the guests of the host's tests as well, to .welltrack/guests/
        #[arg(long)]
        guests: bool,
    },
    /// Prove everything, on databases of its own
    Test {
        /// Only these parts; after them, for parts that take names, only tests with one of these names in their path
        #[arg(value_name = "PARTS", value_parser = test::WordParser)]
        words: Vec<test::Word>,
    },
    /// Measure speed, on a database of its own
    Bench {
        /// ingest, edge or engine; all if none is named
        name: Option<String>,
    },
    /// Make the baseline migration from sql/, or prove that sql/ and supabase/migrations/ make the same database
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
    Schema {
        /// Write the baseline anew
        #[arg(long, group = "what")]
        write: bool,
        /// Fail if the baseline is out of date or the databases differ
        #[arg(long, group = "what")]
        check: bool,
    },
    /// Write the API's TypeScript types to supabase/types/database.ts
    Types {
        /// Write nothing, fail if the file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Build the extension's files for another server into target/package
    Package {
        /// The server's pg_config; without it, the private Postgres's version
        #[arg(long, value_name = "PATH")]
        pg_config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cmd::catch_interrupts().and_then(|()| run(cli.command)) {
        Ok(true) => ExitCode::SUCCESS,
        // What is wrong has been said.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            ui::failure(&error);
            ExitCode::from(if cmd::interrupted() { 130 } else { 1 })
        }
    }
}

/// Does the command; gives false if it has done so and found something wrong.
fn run(command: Command) -> Result<bool> {
    let layout = Layout::find()?;
    match command {
        Command::Test { words } => return test::run(layout, &words),
        Command::Setup { pg_config, debian } => setup::run(&layout, pg_config, debian),
        Command::Up { detach } => dev::up(layout, detach),
        Command::Down => dev::down(&layout),
        Command::Status => dev::status(&layout),
        Command::Reset => dev::reset(&layout),
        Command::Psql { args } => dev::psql(layout, &args),
        Command::Queue { args } => queue::run(&layout, &args),
        Command::Functions { guests } => functions::run(&layout, guests),
        Command::Demo => demo::run(&dev::dev(layout)?),
        Command::Report { person, out } => report::run(&dev::dev(layout)?, person.as_deref(), out),
        Command::Bench { name } => bench_all(&layout, name),
        Command::Schema { write, check } => {
            if write {
                schema::write(&layout)?;
            }
            if check { schema::check(&layout, &setup::all(&layout)?) } else { Ok(()) }
        }
        Command::Types { check } => types::run(&layout, &setup::all(&layout)?, check),
        Command::Package { pg_config } => package::run(&layout, &setup::all(&layout)?, pg_config.as_deref()),
    }?;
    Ok(true)
}

/// Each benchmark gets a fresh database that keeps its data as a real one does.
fn bench_all(layout: &Layout, name: Option<String>) -> Result<()> {
    let prefix = setup::all(layout)?;
    for name in name.map_or_else(|| welltrack_bench::NAMES.map(str::to_owned).to_vec(), |name| vec![name]) {
        let stack = ui::step("Making a database for the benchmark", || {
            Stack::throwaway(layout, &prefix, Durability::Full, "bench")
        })?;
        welltrack_bench::run(&stack, &name)?;
    }
    Ok(())
}
