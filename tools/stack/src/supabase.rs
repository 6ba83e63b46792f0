//! The real Supabase CLI, on the plain address of a local database: no Docker, no login, no word to the outside.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::cluster::{Cluster, Role};
use crate::cmd::Cmd;
use crate::files::files_below;
use crate::layout::Layout;

/// `supabase ARGS --remote=<this cluster>`, its output in the log of that name.
pub fn cli(layout: &Layout, cluster: &Cluster, args: &[&str], log: &str) -> Cmd {
    Cmd::new(layout.root.join("node_modules/.bin/supabase"))
        .args(args)
        .arg(format!("--remote={}?sslmode=disable", cluster.url(Role::Postgres)))
        // Its own word for "you are in a script": text, whoever runs it.
        .args(["--agent", "no", "--yes"])
        .cwd(&layout.root)
        .env("SUPABASE_HOME", layout.state.join("supabase"))
        .env("SUPABASE_TELEMETRY_DISABLED", "1")
        .env("DO_NOT_TRACK", "1")
        .env("SUPABASE_NO_UPDATE_NOTIFIER", "1")
        .env("SUPABASE_NO_KEYRING", "1")
        .env_remove("SUPABASE_ACCESS_TOKEN")
        .env_remove("SUPABASE_DB_PASSWORD")
        .env_remove("SUPABASE_WORKDIR")
        .log(layout.log(log))
}

/// Applies the migrations that the database does not have yet.
pub fn push(layout: &Layout, cluster: &Cluster, log: &str) -> Result<()> {
    cli(layout, cluster, &["db", "push"], log)
        .hint("correct the migration; if migrations that were applied before have changed or gone, `cargo xtask reset`")
        .run()
}

/// The versions of the migrations in `supabase/migrations/`: what precedes the first underscore of a file's name.
pub fn migration_versions(root: &Path) -> Result<BTreeSet<String>> {
    Ok(files_below(&root.join("supabase/migrations"))?
        .iter()
        .filter_map(|file| file.file_name()?.to_str()?.split_once('_'))
        .map(|(version, _)| version.to_owned())
        .collect())
}

/// The versions that a database's history names; none where nothing was ever applied.
pub fn applied_versions(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let is_there = cluster
        .query(Role::Postgres, "select to_regclass('supabase_migrations.schema_migrations') is not null")?;
    if is_there != ["t"] {
        return Ok(BTreeSet::new());
    }
    let versions =
        cluster.query(Role::Postgres, "select version from supabase_migrations.schema_migrations")?;
    Ok(versions.into_iter().collect())
}

/// Throws away what the migrations made and all accounts, applies the migrations and the seed anew.
pub fn reset(layout: &Layout, cluster: &Cluster, log: &str) -> Result<()> {
    cli(layout, cluster, &["db", "reset"], log).hint("correct the migration or supabase/seed.sql").run()
}
