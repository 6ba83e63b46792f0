//! `demo`: the main job, from signup to baselines, on the development database.

use anyhow::Result;

use crate::cluster::Role;
use crate::stack::Stack;
use crate::ui;

/// Runs the demo on a stack that is up.
pub(crate) fn run(stack: &Stack) -> Result<()> {
    ui::note(&format!("the stack is up at {}", stack.url(Role::Postgres)));
    Ok(())
}
