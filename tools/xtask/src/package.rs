//! `package`: the extension's files for another server, laid out as they go into its file system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use welltrack_stack::files::{make_dir, remove};
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::ui;

use crate::setup::pgrx::{self, Pgrx};

/// `cargo xtask package [--pg-config PATH]`.
pub(crate) fn run(layout: &Layout, prefix: &Prefix, pg_config: Option<&Path>) -> Result<()> {
    let folder = match pg_config {
        None => ui::step(&format!("Packaging the extension for Postgres {}", prefix.major), || {
            build(layout, prefix)
        })?,
        Some(path) => {
            let other = Prefix::of_machine(path, prefix)?;
            ui::step(&format!("Packaging the extension for Postgres {}", other.major), || {
                build(layout, &other)
            })?
        }
    };
    ui::note(&format!("{} holds the files; copy them to / of the server", folder.display()));
    Ok(())
}

/// Builds the package and gives its folder, `target/package` of the checkout.
pub(crate) fn build(layout: &Layout, prefix: &Prefix) -> Result<PathBuf> {
    let pgrx = Pgrx::ensure(layout)?;
    let packaged = pgrx::package(layout, prefix, &pgrx)?;
    let place = layout.root.join("target/package");
    remove(&place)?;
    make_dir(place.parent().context("target/package has a parent")?)?;
    // cargo-pgrx repeats the whole path of the Postgres that it built for; a private one is nowhere on a server.
    let root = prefix.root.strip_prefix("/").unwrap_or(&prefix.root);
    fs::rename(packaged.join(root), &place).or_else(|_| {
        // Another file system: copy.
        welltrack_stack::cmd::Cmd::new("cp")
            .arg("-a")
            .arg(packaged.join(root))
            .arg(&place)
            .capture()
            .map(drop)
    })?;
    remove(&packaged)?;
    Ok(place)
}
