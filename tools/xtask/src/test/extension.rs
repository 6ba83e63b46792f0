//! The extension: `#[pg_test]`s inside a real server, the package for other servers, and the upgrade from the first version.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use nix::unistd::{Uid, User};
use similar::TextDiff;
use welltrack_stack::cluster::throwaway::Throwaway;
use welltrack_stack::cluster::{Durability, Role};
use welltrack_stack::files::{make_dir, remove};
use welltrack_stack::inputs::Inputs;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::stamp::Stamp;

use super::check::{Context, Report};
use crate::package;
use crate::setup::pgrx::Pgrx;

/// The settings folder of debug builds of the extension.
pub(super) const HOME: &str = "pgrx-test";

/// The version that the upgrade starts from. Its script is kept as it was.
const FIRST: &str = "0.1.0";

/// Stands in for sudo, which pgrx's test framework wants for running the server as another user and a machine may lack.
const SUDO: &str = "#!/bin/sh\nif [ \"$1\" = -u ]; then user=$2; shift 2; exec runuser -u \"$user\" -- env \"$@\"; fi\nexec \"$@\"\n";

pub(super) fn run(ctx: &Context, report: &mut Report) {
    report.check("#[pg_test]s", || pg_test(ctx));
    report.check("the package holds library, control file and SQL", || check_package(ctx));
    report.check(&format!("an upgrade from {FIRST} equals a fresh installation"), || upgrade(ctx));
}

/// A copy of the private Postgres: `cargo pgrx test` installs a debug build, which must not take the place of the real one.
pub(super) fn test_prefix(ctx: &Context) -> Result<Prefix> {
    let place = ctx.layout.state.join("pg-test");
    let stamp = Stamp::new(&ctx.layout, "postgres-test");
    let hash = Inputs::default().text(&ctx.prefix.version).text(&ctx.prefix.root.to_string_lossy()).finish();
    if stamp.is(&hash)
        && let Ok(prefix) = Prefix::open(&place)
    {
        return Ok(prefix.with_libraries_of(&ctx.prefix));
    }
    stamp.clear()?;
    let prefix = ctx.prefix.copy_to(&place)?;
    stamp.set(&hash)?;
    Ok(prefix)
}

fn pg_test(ctx: &Context) -> Result<()> {
    let pgrx = Pgrx::ensure(&ctx.layout)?;
    let prefix = test_prefix(ctx)?;
    // The framework puts the server's socket beside its data, and a socket's path may have 107 bytes: not below the state.
    let scratch = std::env::temp_dir().join(format!("wt-pgrx-{}", std::process::id()));
    remove(&scratch)?;
    make_dir(&scratch)?;
    let mut cmd = pgrx
        .cargo(&ctx.layout, &prefix, HOME, "test")?
        .arg(prefix.feature())
        .args(["--package", "pg_welltrack", "--no-default-features", "--features"])
        .arg(prefix.feature())
        .env("CARGO_PGRX_TEST_PGDATA", &scratch)
        .log(ctx.layout.log("extension"))
        .hint("the log names the failed tests; `cargo xtask test extension` runs them again");
    if let Some(user) = &ctx.layout.server_user {
        chown(&scratch, Some(user.uid), Some(user.gid))?;
        let shim = ctx.layout.state.join("shim");
        make_dir(&shim)?;
        fs::write(shim.join("sudo"), SUDO)?;
        fs::set_permissions(shim.join("sudo"), fs::Permissions::from_mode(0o755))?;
        cmd = cmd.path_first(&shim).env("CARGO_PGRX_TEST_RUNAS", &user.name);
    } else if let Some(user) = User::from_uid(Uid::effective())? {
        // The framework asks this variable, which a container may not set.
        cmd = cmd.env("USER", user.name);
    }
    let result = cmd.run();
    remove(&scratch)?;
    result
}

fn check_package(ctx: &Context) -> Result<()> {
    let folder = package::build(&ctx.layout, &ctx.prefix)?;
    let strip = |path: &PathBuf| folder.join(path.strip_prefix(&ctx.prefix.root).unwrap_or(path));
    let (lib, share) = (strip(&ctx.prefix.lib), strip(&ctx.prefix.share).join("extension"));
    for file in [lib.join("pg_welltrack.so"), share.join("pg_welltrack.control")] {
        ensure!(file.is_file(), "the package lacks {}", file.display());
    }
    let control = fs::read_to_string(share.join("pg_welltrack.control"))?;
    let version = control
        .lines()
        .find_map(|line| line.strip_prefix("default_version")?.split('\'').nth(1))
        .unwrap_or_default();
    let upgrades = fs::read_dir(ctx.layout.root.join("pg_welltrack/sql"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    // A script between two versions has both in its name.
    let upgrades = upgrades.into_iter().filter(|name| name.matches("--").count() == 2);
    for script in upgrades.chain([format!("pg_welltrack--{version}.sql")]) {
        ensure!(share.join(&script).is_file(), "the package lacks {script}");
    }
    Ok(())
}

/// One database gets there by way of the first version, with rows that depend on it; another is new. Every property of
/// every member must be the same.
fn upgrade(ctx: &Context) -> Result<()> {
    let prefix = ctx.with_extension()?;
    let sources = ctx.layout.root.join("pg_welltrack");
    // A package brings the scripts for upgrading to today's version; whoever has the first version has its script.
    let first = format!("pg_welltrack--{FIRST}.sql");
    fs::copy(sources.join("sql").join(&first), prefix.share.join("extension").join(&first))?;
    let cluster = Throwaway::start(&ctx.layout, prefix, Durability::None)?;
    let run = |database: &str, sql: &str| -> Result<String> {
        cluster
            .psql(Role::Postgres, database)
            .args(["--tuples-only", "--no-align", "--command", sql])
            .capture()
    };
    let catalogue = |database: &str| -> Result<String> {
        cluster
            .psql(Role::Postgres, database)
            .args(["--tuples-only", "--no-align", "--file"])
            .arg(sources.join("sql-tests/catalogue.sql"))
            .capture()
    };
    run("postgres", "create database upgraded")?;
    run("postgres", "create database fresh")?;
    run("fresh", "create extension pg_welltrack")?;
    run("upgraded", &format!("create extension pg_welltrack version '{FIRST}'"))?;
    run("upgraded", HASHED_ROWS)?;
    let hashes = "select id, encode(hash, 'hex') from reading order by id";
    let before = run("upgraded", hashes)?;
    run("upgraded", "alter extension pg_welltrack update")?;
    let again = "update reading set source = source";
    run("upgraded", again)?;
    ensure!(
        before.lines().count() == 1_000 && before == run("upgraded", hashes)?,
        "the upgrade changed hashes of stored rows"
    );
    let (upgraded, fresh) = (catalogue("upgraded")?, catalogue("fresh")?);
    ensure!(
        fresh.lines().count() > 5,
        "sql-tests/catalogue.sql tells next to nothing of the extension:\n{fresh}"
    );
    let definers = "select count(*) from pg_depend d join pg_proc p on d.classid = 'pg_proc'::regclass and d.objid = p.oid
                    where d.deptype = 'e' and p.prosecdef
                      and d.refobjid = (select oid from pg_extension where extname = 'pg_welltrack')";
    ensure!(run("fresh", definers)?.trim() == "0", "a function of the extension is SECURITY DEFINER");
    if upgraded != fresh {
        let diff =
            TextDiff::from_lines(&fresh, &upgraded).unified_diff().header("fresh", "upgraded").to_string();
        bail!(
            "an upgraded installation is not a fresh one:\n{diff}\nWhat to do: correct the upgrade script in pg_welltrack/sql"
        );
    }
    Ok(())
}

/// A generated column over the hash, as the schema has one, with a thousand rows.
const HASHED_ROWS: &str = "
    create table reading (
        id integer primary key, owner uuid, source text, start_time timestamptz,
        hash bytea generated always as
            (welltrack.dedupe_hash(owner, owner, source, 'steps', start_time, null)) stored
    );
    insert into reading (id, owner, source, start_time)
    select n, md5(n::text)::uuid, 'garmin', timestamptz '2020-02-29 23:59:59.999999+00' + n * interval '1 hour 7 microseconds'
    from generate_series(1, 1000) n";
