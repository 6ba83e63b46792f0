//! The real Supabase CLI, on the plain address of a local database: no Docker, no login, no word to the outside.

use anyhow::Result;

use crate::cluster::{Cluster, Role};
use crate::cmd::Cmd;
use crate::layout::Layout;

/// `supabase ARGS --remote=<this cluster>`, its output in the log of that name.
pub(crate) fn cli(layout: &Layout, cluster: &Cluster, args: &[&str], log: &str) -> Cmd {
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
pub(crate) fn push(layout: &Layout, cluster: &Cluster, log: &str) -> Result<()> {
    cli(layout, cluster, &["db", "push"], log)
        .hint("correct the migration; if migrations that were applied before have changed or gone, `cargo xtask reset`")
        .run()
}

/// Throws away what the migrations made and all accounts, applies the migrations and the seed anew.
pub(crate) fn reset(layout: &Layout, cluster: &Cluster, log: &str) -> Result<()> {
    cli(layout, cluster, &["db", "reset"], log).hint("correct the migration or supabase/seed.sql").run()
}
