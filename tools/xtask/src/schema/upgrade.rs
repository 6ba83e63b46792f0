//! Brings a database with another history to the declared schema and keeps its rows; `docs/operations/upgrade.md` has the same
//! steps by hand.
//!
//! Guarantee: the history is repaired only after a comparison of dumps has found no difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::compare::{Description, describe, difference};
use super::declared::{BASELINE, BASELINE_IS_FROZEN, declared_files, runs_again};
use welltrack_stack::Stack;
use welltrack_stack::cluster::{Cluster, Durability, Role};
use welltrack_stack::files::files_below;
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::{supabase, ui};

/// What the heading of a bridge's first file says before the versions that it starts from.
const FROM: &str = "-- from: ";

/// The files of a bridge.
const BEFORE: &str = "00_before.sql";
const WITH_RULES: &str = "10_bridge.sql";

/// What `sql/` itself can't do for databases with one known history: a folder of `supabase/upgrades/`.
struct Bridge {
    /// What has to be committed before the rest can use it, such as labels of enums.
    before: PathBuf,
    /// What runs in one transaction with the files of `sql/`, before them.
    with_rules: PathBuf,
}

/// Makes `cluster` one that `supabase db push` takes: its history names no migration that this checkout lacks, and the
/// baseline that it had is today's. Does nothing where that is so already.
///
/// # Errors
///
/// The history is one that no file of `supabase/upgrades/` starts from; or the schema still differs after the upgrade, and
/// then the history is as it was. Both say what to do.
pub(crate) fn prepare(layout: &Layout, prefix: &Prefix, cluster: &Cluster) -> Result<()> {
    let applied = supabase::applied_versions(cluster)?;
    let files = supabase::migration_versions(&layout.root)?;
    if applied.is_subset(&files) {
        if BASELINE_IS_FROZEN || !has_older_baseline(layout, cluster, &applied)? {
            return Ok(());
        }
        return ui::step("Upgrading the database to today's baseline", || {
            bring_up(layout, prefix, cluster, None, &BTreeSet::new())
        });
    }
    match bridge_from(layout, &applied)? {
        Some(bridge) => ui::step("Upgrading the database to the baseline migration", || {
            bring_up(layout, prefix, cluster, Some(&bridge), &applied)
        }),
        None => bail!(
            "the database has migrations that this checkout lacks ({}), and no file of supabase/upgrades/ starts from its \
             history.\nWhat to do: go on with the checkout that made it, or `cargo xtask reset`, which throws the local data \
             away",
            applied.difference(&files).cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Applies the bridge and every file that can run again, compares, repairs.
fn bring_up(
    layout: &Layout,
    prefix: &Prefix,
    cluster: &Cluster,
    bridge: Option<&Bridge>,
    reverted: &BTreeSet<String>,
) -> Result<()> {
    let rules = declared_files(&layout.root)?.into_iter().filter(|file| runs_again(&layout.root, file));
    let mut files = Vec::new();
    if let Some(bridge) = bridge {
        apply(cluster, std::slice::from_ref(&bridge.before))?;
        files.push(bridge.with_rules.clone());
    }
    files.extend(rules);
    apply(cluster, &files)?;
    let declared = {
        let fresh = Stack::throwaway(layout, prefix, Durability::None, "upgrade")?;
        describe(&fresh)?
    };
    if let Some(difference) = difference(&without_schedule(declared), &without_schedule(describe(cluster)?)) {
        bail!(
            "the database still differs from sql/ (- only in sql/, + only in the database); its history is as it was\n\
             {difference}What to do: if supabase/upgrades/ should have changed this, add it there; if somebody made it by \
             hand, undo that; then run the same command again. `cargo xtask reset` starts afresh and throws the local data \
             away"
        );
    }
    if !reverted.is_empty() {
        let versions: Vec<&str> = reverted.iter().map(String::as_str).collect();
        let args = [&["migration", "repair", "--status", "reverted"], versions.as_slice()].concat();
        supabase::cli(layout, cluster, &args, "stack").run()?;
    }
    supabase::cli(
        layout,
        cluster,
        &["migration", "repair", "--status", "applied", baseline_version()],
        "stack",
    )
    .run()
}

/// Runs files in one transaction.
fn apply(cluster: &Cluster, files: &[PathBuf]) -> Result<()> {
    files
        .iter()
        .fold(cluster.psql(Role::Postgres, "postgres").arg("--single-transaction"), |psql, file| {
            psql.arg("--file").arg(file)
        })
        .hint(
            "nothing of this has happened to the database. If `create or replace` refuses a change, the upgrade has to drop the \
             old one first (supabase/upgrades/); `cargo xtask reset` starts afresh and throws the local data away",
        )
        .capture()
        .map(drop)
}

/// The jobs of pg_cron are the operator's once they are there: other hours are no difference.
fn without_schedule(mut description: Description) -> Description {
    description.remove("Rows of cron.job");
    description
}

/// "20261128000000" of the baseline's name.
fn baseline_version() -> &'static str {
    let name = BASELINE.rsplit('/').next().unwrap_or(BASELINE);
    name.split('_').next().unwrap_or(name)
}

/// Whether the baseline that the database's history keeps is another one than the file. Spaces and semicolons don't count:
/// the CLI keeps statements, not the file.
fn has_older_baseline(layout: &Layout, cluster: &Cluster, applied: &BTreeSet<String>) -> Result<bool> {
    if !applied.contains(baseline_version()) {
        return Ok(false);
    }
    let kept = cluster.query(
        Role::Postgres,
        &format!(
            "select array_to_string(statements, '') from supabase_migrations.schema_migrations where version = '{}'",
            baseline_version()
        ),
    )?;
    Ok(bare(&kept.join("\n")) != bare(&fs::read_to_string(layout.root.join(BASELINE))?))
}

fn bare(sql: &str) -> String {
    sql.chars().filter(|c| !c.is_whitespace() && *c != ';').collect()
}

/// The bridge that starts from exactly these versions.
fn bridge_from(layout: &Layout, applied: &BTreeSet<String>) -> Result<Option<Bridge>> {
    for before in files_below(&layout.root.join("supabase/upgrades"))? {
        if before.ends_with(BEFORE) && versions_of(&fs::read_to_string(&before)?) == *applied {
            let with_rules = before.with_file_name(WITH_RULES);
            return Ok(Some(Bridge { before, with_rules }));
        }
    }
    Ok(None)
}

/// The versions that the heading of a bridge names.
fn versions_of(bridge: &str) -> BTreeSet<String> {
    bridge
        .lines()
        .filter_map(|line| line.strip_prefix(FROM))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_names_its_versions_over_several_lines() {
        let versions = versions_of("-- Words.\n-- from: 1 2\n-- from: 3\nselect 1;\n");
        assert_eq!(versions, ["1", "2", "3"].map(str::to_owned).into());
    }

    #[test]
    fn the_version_of_the_baseline_is_its_number() {
        assert_eq!(baseline_version(), "20261128000000");
    }

    #[test]
    fn statements_without_semicolons_are_the_same_baseline() {
        assert_eq!(bare("create type a;\n\ncreate type b;\n"), bare("create type acreate type b"));
    }
}
