//! Setup: everything that a fresh machine lacks, fetched or built once.
//!
//! Promises: needs no root, installs nothing on the machine, does a step only when its inputs changed, and may be interrupted at
//! any point. Stops at Rust, Node, Python, a C compiler and Debian's package lists: those are the
//! machine's.

pub(crate) mod browser;
pub(crate) mod cargo_programs;
pub(crate) mod pgrx;
pub(crate) mod python;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use welltrack_stack::files::{remove, write_whole};
use welltrack_stack::inputs::Inputs;
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::{self, Prefix};
use welltrack_stack::stamp::Stamp;
use welltrack_stack::{cluster, debs, npm, ui};

/// `cargo xtask setup`: remembers which Postgres is wanted, then does all that is missing.
pub(crate) fn run(layout: &Layout, pg_config: Option<PathBuf>, debian: bool) -> Result<()> {
    if let Some(path) = pg_config {
        let path = path.canonicalize().with_context(|| format!("there is no {}", path.display()))?;
        prefix::examine(&path)?;
        write_whole(&Choice::file(layout), path.to_string_lossy().as_bytes())?;
    }
    if debian {
        remove(&Choice::file(layout))?;
    }
    let prefix = all(layout)?;
    ui::note(&format!("ready: {} in {}", prefix.version, prefix.root.display()));
    Ok(())
}

/// Everything, for commands that work with the database.
pub(crate) fn all(layout: &Layout) -> Result<Prefix> {
    let prefix = tools(layout)?;
    let _lock = layout.lock("setup")?;
    pgrx::ensure_extension(layout, &prefix)?;
    Ok(prefix)
}

/// Everything but the extension, which may be what is being worked on.
pub(crate) fn tools(layout: &Layout) -> Result<Prefix> {
    let _lock = layout.lock("setup")?;
    let prefix = postgres(layout)?;
    npm::ensure(layout)?;
    Ok(prefix)
}

/// Which Postgres the private one is made from.
enum Choice {
    Debian,
    Other(PathBuf),
}

impl Choice {
    fn file(layout: &Layout) -> PathBuf {
        layout.state.join("pg-config")
    }

    fn remembered(layout: &Layout) -> Self {
        fs::read_to_string(Self::file(layout)).map_or(Self::Debian, |path| Self::Other(path.into()))
    }
}

/// Assembles the private Postgres, if it is not there as wanted.
fn postgres(layout: &Layout) -> Result<Prefix> {
    let place = layout.state.join("pg");
    let stamp = Stamp::new(layout, "postgres");
    let choice = Choice::remembered(layout);
    let wanted = match &choice {
        Choice::Debian => Inputs::of_text("debian"),
        Choice::Other(path) => Inputs::of_text(&path.to_string_lossy()),
    };
    if stamp.is(&wanted)
        && let Ok(prefix) = Prefix::open(&place)
    {
        return Ok(prefix);
    }
    if let Ok(old) = Prefix::open(&place) {
        cluster::throwaway::sweep(layout, &old)?;
    }
    if let Some(name) = cluster::any_running(layout)? {
        bail!(
            "the database `{name}` is running from the private Postgres that is to be replaced. What to do: `cargo xtask down`"
        );
    }
    stamp.clear()?;
    let prefix = match choice {
        Choice::Debian => from_debian(layout, &place)?,
        Choice::Other(path) => from_other(layout, &place, &path)?,
    };
    stamp.set(&wanted)?;
    Ok(prefix)
}

fn from_debian(layout: &Layout, place: &Path) -> Result<Prefix> {
    ensure!(
        debs::available(),
        "this machine has no apt-get. What to do: install Postgres 15, 16 or 17 with its headers, pg_cron, pgTAP and \
         plpgsql_check, and run `cargo xtask setup --pg-config PATH`"
    );
    let major = debs::choose_major(layout)?;
    let packages =
        ui::step(&format!("Fetching Postgres {major} and its extensions (Debian packages)"), || {
            debs::fetch(layout, &[debs::server_packages(major), debs::tool_packages()?].concat())
        })?;
    ui::step("Unpacking the private Postgres", || {
        prefix::assemble(place, |folder| {
            debs::unpack(layout, &packages, folder)?;
            Ok(folder.join(format!("usr/lib/postgresql/{major}/bin/pg_config")))
        })
    })
}

fn from_other(layout: &Layout, place: &Path, pg_config: &Path) -> Result<Prefix> {
    prefix::examine(pg_config)?;
    let tools = if debs::available() {
        ui::step("Fetching libclang and pg_prove (Debian packages)", || {
            debs::fetch(layout, &debs::tool_packages()?)
        })?
    } else {
        ui::note("no apt-get here: libclang and pg_prove are taken from the machine");
        Vec::new()
    };
    ui::step(&format!("Copying the Postgres of {}", pg_config.display()), || {
        prefix::assemble(place, |folder| {
            debs::unpack(layout, &tools, folder)?;
            prefix::copy_postgres(pg_config, folder)
        })
    })
}
