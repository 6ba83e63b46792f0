//! `bench`: speed, measured on a database of its own, as ratios with their targets beside them.

mod edge;
mod engine;
mod events;
mod ingest;
mod load;
mod measure;
mod pushes;
mod servers;
mod stage;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use postgres::Config;
use welltrack_stack::cluster::Role;
use welltrack_stack::{Stack, ui};

/// The benchmarks there are.
pub const NAMES: [&str; 3] = ["ingest", "edge", "engine"];

/// Runs the benchmark of that name on a fresh stack; an error if a target is missed.
pub fn run(stack: &Stack, name: &str) -> Result<()> {
    let database: Config =
        stack.url(Role::SupabaseAdmin).parse().context("reading the database's address")?;
    let met = match name {
        "ingest" => ingest::run(&database, &|what| ui::note(what))?,
        "edge" => edge::run(stack, &|what| ui::note(what))?,
        "engine" => {
            as_on_a_server_of_its_own(stack)?;
            engine::run(&database, &|what| ui::note(what))?
        }
        _ => bail!("there is no benchmark `{name}`; there are: {}", NAMES.join(", ")),
    };
    ensure!(met, "`bench {name}` missed a target: see the table");
    Ok(())
}

/// Gives the server a quarter of the machine's memory for its buffers, as Postgres's documentation advises; a development database
/// has a laptop's share, and a million people's rows lie beyond it.
/// <https://www.postgresql.org/docs/15/runtime-config-resource.html#GUC-SHARED-BUFFERS>
fn as_on_a_server_of_its_own(stack: &Stack) -> Result<()> {
    let memory = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB")?.trim().parse().ok());
    let kilobytes: u64 = total.context("/proc/meminfo names no MemTotal")?;
    let buffers = format!("shared_buffers={}kB", kilobytes / 4);
    ui::note(&buffers);
    stack.stop()?;
    stack.start_server(&[&buffers])
}
