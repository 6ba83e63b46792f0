//! `queue`: `welltrack-edge queue` on the development database.

use std::ffi::OsString;

use anyhow::{Context, Result};
use welltrack_stack::cluster::Role;
use welltrack_stack::cmd::Cmd;
use welltrack_stack::layout::Layout;
use welltrack_stack::{Stack, edge};

/// Becomes the host's own command, on the development database, which has to run.
pub(crate) fn run(layout: &Layout, args: &[OsString]) -> Result<()> {
    let stack =
        Stack::running(layout)?.context("the database is not running. What to do: `cargo xtask up`")?;
    // The local stack runs it already, so nothing is built for this.
    let program = edge::local_program(layout)?;
    let queue = Cmd::new(program).arg("queue").args(args);
    Err(queue.env("SUPABASE_DB_URL", stack.url(Role::Authenticator)).exec())
}
