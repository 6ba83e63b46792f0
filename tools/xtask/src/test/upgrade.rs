//! The upgrade of a database from commit 176bedf, with rows in it: `supabase/upgrades/176bedf/` by way of `schema::prepare`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::check::{Context, Report};
use welltrack_stack::cluster::throwaway::Throwaway;
use welltrack_stack::cluster::{Cluster, Durability, Role};
use welltrack_stack::files::{make_dir, remove};
use welltrack_stack::supabase;

use crate::schema;

/// What parts the files in `tests/upgrade/176bedf.sql`.
const MARK: &str = "-- migration ";

/// Tables that must have rows, or the test shows nothing.
const FILLED: [&str; 13] = [
    "wt_audit_log",
    "wt_baselines",
    "wt_connection_tokens",
    "wt_daily_values",
    "wt_forecasts",
    "wt_goals",
    "wt_health_connections",
    "wt_health_metrics",
    "wt_profiles",
    "wt_recovery_scores",
    "wt_training_loads",
    "wt_webhook_events",
    "wt_workouts",
];

pub(super) fn run(ctx: &Context, report: &mut Report) {
    let Some(cluster) = report.check("a database as commit 176bedf made it, with rows", || old_database(ctx))
    else {
        return;
    };
    report
        .check("an upgrade that leaves a difference shows it and repairs nothing", || refused(ctx, &cluster));
    report.check("an upgrade keeps every row and repairs the history", || upgraded(ctx, &cluster));
    report.check("an older baseline is brought to today's", || older_baseline(ctx, &cluster));
}

/// The old migrations by the real `supabase db push`, then `tests/upgrade/rows.sql`.
fn old_database(ctx: &Context) -> Result<Throwaway> {
    let cluster = Throwaway::start(&ctx.layout, ctx.with_extension()?, Durability::None)?;
    let project = old_project(ctx)?;
    supabase::cli(&ctx.layout, &cluster, &["db", "push"], "upgrade").cwd(&project).run()?;
    remove(&project)?;
    let versions = supabase::applied_versions(&cluster)?.len();
    ensure!(versions == 31, "the old project has {versions} migrations, not 31");
    cluster
        .psql(Role::SupabaseAdmin, "postgres")
        .arg("--file")
        .arg(ctx.layout.root.join("tests/upgrade/rows.sql"))
        .capture()?;
    Ok(cluster)
}

/// A folder as the Supabase CLI expects it, with the old migrations as files.
fn old_project(ctx: &Context) -> Result<PathBuf> {
    let folder = ctx.layout.state.join("upgrade-from");
    remove(&folder)?;
    let migrations = folder.join("supabase/migrations");
    make_dir(&migrations)?;
    fs::copy(ctx.layout.root.join("supabase/config.toml"), folder.join("supabase/config.toml"))?;
    fs::write(folder.join("supabase/seed.sql"), "")?;
    let text = fs::read_to_string(ctx.layout.root.join("tests/upgrade/176bedf.sql"))?;
    for (name, sql) in parts(&text) {
        fs::write(migrations.join(name), sql)?;
    }
    Ok(folder)
}

/// The files within the one that holds them all.
fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(&format!("\n{MARK}"))
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .collect::<Vec<_>>()
        .into_iter()
}

fn refused(ctx: &Context, cluster: &Cluster) -> Result<()> {
    let change = |sql: &str| cluster.psql(Role::Postgres, "postgres").args(["--command", sql]).capture();
    change("alter table public.wt_workouts add column stray integer")?;
    let answer = schema::prepare(&ctx.layout, ctx.with_extension()?, cluster);
    change("alter table public.wt_workouts drop column stray")?;
    let error = answer.err().context("the upgrade took a table with a stray column for its own")?.to_string();
    ensure!(error.contains("+     stray integer"), "the error does not show the column:\n{error}");
    let versions = supabase::applied_versions(cluster)?.len();
    ensure!(versions == 31, "the history was changed: it has {versions} versions");
    Ok(())
}

fn upgraded(ctx: &Context, cluster: &Cluster) -> Result<()> {
    let look = look(cluster)?;
    let before = cluster.query(Role::SupabaseAdmin, &look)?;
    for table in FILLED {
        ensure!(
            before
                .iter()
                .any(|line| line.starts_with(&format!("{table}\t"))
                    && !line.starts_with(&format!("{table}\t0\t"))),
            "tests/upgrade/rows.sql leaves {table} empty"
        );
    }
    schema::prepare(&ctx.layout, ctx.with_extension()?, cluster)?;
    let after = cluster.query(Role::SupabaseAdmin, &look)?;
    ensure!(before == after, "rows changed\nbefore:\n{}\nafter:\n{}", before.join("\n"), after.join("\n"));
    is_current(ctx, cluster)
}

/// The history names the baseline alone, and the CLI finds nothing to do.
fn is_current(ctx: &Context, cluster: &Cluster) -> Result<()> {
    let applied = supabase::applied_versions(cluster)?;
    ensure!(applied == supabase::migration_versions(&ctx.layout.root)?, "the history is {applied:?}");
    let answer = supabase::cli(&ctx.layout, cluster, &["db", "push"], "upgrade").capture()?;
    ensure!(answer.contains("up to date"), "a push was not up to date:\n{answer}");
    Ok(())
}

/// A private function of today is replaced by another one, and so is the word of the history about it.
fn older_baseline(ctx: &Context, cluster: &Cluster) -> Result<()> {
    cluster
        .psql(Role::SupabaseAdmin, "postgres")
        .args([
            "--command",
            "create or replace function wt_private.parking_lock() returns bigint language sql immutable parallel safe
               set search_path = '' as 'select 1::bigint';
             update supabase_migrations.schema_migrations set statements = array['select 1']",
        ])
        .capture()?;
    schema::prepare(&ctx.layout, ctx.with_extension()?, cluster)?;
    let lock = cluster.query(Role::SupabaseAdmin, "select wt_private.parking_lock()")?;
    ensure!(lock != ["1"], "the function is still the old one");
    // What the CLI wrote down now is what the file says: the next one has nothing to do.
    let noted = "select xmin::text from supabase_migrations.schema_migrations";
    let before = cluster.query(Role::SupabaseAdmin, noted)?;
    schema::prepare(&ctx.layout, ctx.with_extension()?, cluster)?;
    ensure!(cluster.query(Role::SupabaseAdmin, noted)? == before, "the baseline was upgraded a second time");
    is_current(ctx, cluster)
}

/// A statement that gives name, number of rows and a checksum over all columns of each table, as the columns are now.
fn look(cluster: &Cluster) -> Result<String> {
    let parts = cluster.query(
        Role::SupabaseAdmin,
        "select format('select %L, count(*), md5(string_agg(r::text, '';'' order by r::text)) from (select row(%s) r from public.%I) t',
                       table_name, string_agg(quote_ident(column_name), ', ' order by ordinal_position), table_name)
         from information_schema.columns where table_schema = 'public' and table_name like 'wt\\_%' group by table_name
         order by table_name",
    )?;
    ensure!(!parts.is_empty(), "there is no table");
    Ok(parts.join(" union all "))
}
