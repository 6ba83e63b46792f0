//! The parts that need the whole schema: the Supabase CLI's own checks, pgTAP, and the black-box tests.

use anyhow::{Result, ensure};
use welltrack_stack::cluster::{Cluster, Durability, Role};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::files_below;
use welltrack_stack::{Stack, supabase};

use super::check::{Context, Report};
use super::names;
use crate::setup::python;
use crate::{schema as drift, types};

/// The database that the black-box tests clone, one for each test.
pub(super) const TEMPLATE: &str = "wt_template";

/// What the Supabase CLI says of the migrations.
pub(super) fn schema(ctx: &Context, report: &mut Report) {
    let Some(stack) = report.check("supabase db push, on a fresh database", || migrated(ctx, "schema"))
    else {
        return;
    };
    let cli = |args: &[&str]| supabase::cli(&ctx.layout, &stack, args, "schema");
    report.check("a second push finds nothing to do", || {
        let answer = cli(&["db", "push"]).capture()?;
        ensure!(answer.contains("up to date"), "it was not up to date:\n{answer}");
        Ok(())
    });
    report.check("supabase db lint has no warning", || {
        let schemas = schemas_of_ours(&stack)?;
        cli(&["db", "lint", "--level", "warning", "--fail-on", "warning", "--schema", &schemas])
            .hint("mend what it names")
            .run()
    });
    for kind in ["security", "performance"] {
        report.check(&format!("supabase db advisors has no {kind} warning"), || {
            cli(&["db", "advisors", "--type", kind, "--level", "warn", "--fail-on", "warn"])
                .hint("mend what it names")
                .run()
        });
    }
    report.check("supabase gen types gives the types that are kept", || types::compare(&ctx.layout, &stack));
    report.check("supabase db reset gives the same schema and no people", || reset(ctx, &stack));
    report.check("sql/ and supabase/migrations/ agree", || drift::check(&ctx.layout, ctx.with_extension()?));
}

/// pgTAP, by its own runner.
pub(super) fn pgtap(ctx: &Context, report: &mut Report) {
    let tests: Result<Vec<_>> = files_below(&ctx.layout.root.join("supabase/tests"))
        .map(|files| files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "sql")).collect());
    report.check("pg_prove supabase/tests", || {
        let tests = tests?;
        ensure!(!tests.is_empty(), "supabase/tests has no test");
        let stack = migrated(ctx, "pgtap")?;
        stack
            .psql(Role::Postgres, "postgres")
            .args(["--command", "create extension if not exists pgtap with schema extensions"])
            .capture()?;
        stack
            .connected(ctx.prefix.pg_prove(), Role::Postgres, "postgres")
            .args(["--verbose", "--psql-bin"])
            .arg(ctx.prefix.bin.join("psql"))
            .args(tests)
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("pgtap"))
            .hint("the log names the failed tests; `cargo xtask test pgtap` runs them again")
            .run()
    });
}

/// The black-box tests. Each clones the migrated database, so they run side by side and none sees another's rows.
pub(super) fn flows(ctx: &Context, report: &mut Report, names: &[String]) {
    // Only what is compared with real days needs the oracle.
    let python = welltrack_demo::data_set(&ctx.layout.root).and_then(|_| {
        report.check("Python with numpy, for the oracle", || python::ensure(&ctx.layout, &python::ORACLE))
    });
    report.check(&names::title("the tests in tests/", names), || {
        let tests = || {
            Cmd::new("cargo")
                .args(["test", "--quiet", "--no-fail-fast", "--package", "welltrack_tests"])
                .args(["--lib", "--bins", "--test", "flows"])
                .cwd(&ctx.layout.root)
        };
        names::ensure_found(tests(), names)?;
        let stack = migrated(ctx, "flows")?;
        make_template(&stack)?;
        python
            .iter()
            .fold(tests(), |tests, python| tests.env("WELLTRACK_TEST_PYTHON", python.join("python")))
            .arg("--")
            .args(names)
            .env("WELLTRACK_TEST_ADMIN_URL", stack.url(Role::SupabaseAdmin))
            .env("WELLTRACK_TEST_TEMPLATE", TEMPLATE)
            .env("WELLTRACK_TEST_PG_BIN", &ctx.prefix.bin)
            .log(ctx.layout.log("flows"))
            .hint("the log names the failed tests; `cargo xtask test flows NAME` runs one of them again")
            .run()
    });
}

pub(super) fn migrated(ctx: &Context, log: &str) -> Result<Stack> {
    Stack::throwaway(&ctx.layout, ctx.with_extension()?, Durability::None, log)
}

/// Clones the main database. Nobody may be connected to what is cloned, and pg_cron's scheduler always is: it stays out for that
/// one start.
pub(super) fn make_template(cluster: &Cluster) -> Result<()> {
    cluster.stop()?;
    cluster.start_server(&["shared_preload_libraries="])?;
    cluster
        .psql(Role::SupabaseAdmin, "template1")
        .args(["--command", &format!("create database {TEMPLATE} template postgres owner postgres")])
        .capture()?;
    cluster.stop()?;
    cluster.start_server(&[])
}

/// The schemas that the migrations made: not Postgres's, not Supabase's, not an extension's.
fn schemas_of_ours(cluster: &Cluster) -> Result<String> {
    let names = cluster.query(
        Role::Postgres,
        "select nspname from pg_namespace n
         where nspname !~ '^pg_' and nspname not in ('information_schema', 'auth', 'extensions', 'supabase_migrations')
           and not exists (select from pg_depend d where d.objid = n.oid and d.classid = 'pg_namespace'::regclass
                           and d.deptype = 'e')
         order by 1",
    )?;
    Ok(names.join(","))
}

/// A person signs up, the database is reset: the person is gone, what pg_dump says of the schema is the same.
fn reset(ctx: &Context, cluster: &Cluster) -> Result<()> {
    let before = drift::describe(cluster)?;
    cluster
        .psql(Role::AuthAdmin, "postgres")
        .args([
            "--command",
            "insert into auth.users (id, email) values (gen_random_uuid(), 'ada@example.com')",
        ])
        .capture()?;
    supabase::reset(&ctx.layout, cluster, "schema")?;
    let people = cluster.query(Role::SupabaseAdmin, "select count(*) from auth.users")?;
    ensure!(people == ["0"], "the reset left {} accounts", people.join(" "));
    match drift::difference(&before, &drift::describe(cluster)?) {
        None => Ok(()),
        Some(difference) => anyhow::bail!("the reset changed the schema (- before, + after)\n{difference}"),
    }
}
