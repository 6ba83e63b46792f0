//! `bench`: speed, measured on a database of its own, as ratios with their targets beside them.

use anyhow::{Result, bail};

use crate::stack::Stack;

/// The benchmarks there are.
pub(crate) const NAMES: [&str; 0] = [];

/// Runs the benchmark of that name on a fresh stack.
pub(crate) fn run(_stack: &Stack, name: &str) -> Result<()> {
    bail!("there is no benchmark `{name}`; there are: {}", NAMES.join(", "))
}
