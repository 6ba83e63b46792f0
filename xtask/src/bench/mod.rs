//! `bench`: speed, measured on a database of its own, as ratios with their targets beside them.

mod edge;
mod engine;
mod ingest;
mod load;
mod measure;
mod servers;
mod stage;

use anyhow::{Context, Result, bail, ensure};
use postgres::Config;

use crate::cluster::Role;
use crate::stack::Stack;
use crate::ui;

/// The benchmarks there are.
pub(crate) const NAMES: [&str; 3] = ["ingest", "edge", "engine"];

/// Runs the benchmark of that name on a fresh stack; an error if a target is missed.
pub(crate) fn run(stack: &Stack, name: &str) -> Result<()> {
    let database: Config =
        stack.url(Role::SupabaseAdmin).parse().context("reading the database's address")?;
    let met = match name {
        "ingest" => ingest::run(&database, &|what| ui::note(what))?,
        "edge" => edge::run(stack, &|what| ui::note(what))?,
        "engine" => engine::run(&database, &|what| ui::note(what))?,
        _ => bail!("there is no benchmark `{name}`; there are: {}", NAMES.join(", ")),
    };
    ensure!(met, "`bench {name}` missed a target: see the table");
    Ok(())
}
