//! `schema`: the declared schema in `sql/`, the baseline migration that is made from it, and the proof that both agree.
//!
//! `sql/<nn_domain>/<nn_name>.sql` is written by hand, but for the few files that have a template (see [`metrics`]). Until the first release `supabase/migrations/` holds one generated file,
//! the baseline. After it, the baseline is frozen (see [`BASELINE_IS_FROZEN`]), increments are written by hand beside it, and
//! the comparison of dumps proves that `sql/` and the migrations agree.

mod compare;
mod declared;
mod metrics;
mod upgrade;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use welltrack_stack::cluster::throwaway::Throwaway;
use welltrack_stack::cluster::{Cluster, Durability, Role};
use welltrack_stack::files::write_whole;
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::{Stack, ui};

pub(crate) use self::compare::{describe, difference};
use self::declared::{BASELINE, BASELINE_IS_FROZEN, baseline, declared_files};
pub(crate) use self::upgrade::prepare;

/// `schema --write`: makes the files that list the metrics anew from their templates, and the baseline from `sql/`.
pub(crate) fn write(layout: &Layout) -> Result<()> {
    metrics::write(&layout.root)?;
    ensure!(
        !BASELINE_IS_FROZEN,
        "{BASELINE} is released and no longer generated. What to do: write a migration beside it, then \
         `cargo xtask schema --check`"
    );
    let text = baseline(&layout.root)?;
    let path = layout.root.join(BASELINE);
    if fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        ui::note(&format!("{BASELINE} is up to date"));
        return Ok(());
    }
    write_whole(&path, &text)?;
    ui::note(&format!("wrote {BASELINE}"));
    Ok(())
}

/// `schema --check`: an error if the baseline is out of date, or if `sql/` and the migrations make different databases.
pub(crate) fn check(layout: &Layout, prefix: &Prefix) -> Result<()> {
    check_baseline(&layout.root)?;
    let declared = ui::step("Building a database from sql/", || {
        let cluster = Throwaway::start(layout, prefix, Durability::None)?;
        for file in declared_files(&layout.root)? {
            apply(&cluster, &file)?;
        }
        describe(&cluster)
    })?;
    let migrated = ui::step("Building a database from supabase/migrations/", || {
        describe(&*Stack::throwaway(layout, prefix, Durability::None, "schema")?)
    })?;
    match difference(&declared, &migrated) {
        None => {
            ui::note(&format!("sql/ and supabase/migrations/ agree on {} objects", declared.len()));
            Ok(())
        }
        Some(difference) => bail!(
            "sql/ and supabase/migrations/ disagree (- only in sql/, + only in the migrations)\n{difference}\
             What to do: write a migration that gets there, or correct sql/"
        ),
    }
}

/// An error if `sql/` has changed since the baseline was made.
fn check_baseline(root: &Path) -> Result<()> {
    metrics::check(root)?;
    if BASELINE_IS_FROZEN {
        return Ok(());
    }
    let wanted = baseline(root)?;
    if fs::read_to_string(root.join(BASELINE)).is_ok_and(|kept| kept == wanted) {
        return Ok(());
    }
    bail!("{BASELINE} is not what sql/ says. What to do: `cargo xtask schema --write`, then commit the file")
}

/// Runs one file of `sql/` in a transaction of its own.
fn apply(cluster: &Cluster, file: &Path) -> Result<()> {
    cluster.psql(Role::Postgres, "postgres").arg("--single-transaction").arg("--file").arg(file).capture()?;
    Ok(())
}
