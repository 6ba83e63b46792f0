//! The commands of the development stack: `up`, `down`, `status`, `reset`, `psql`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use anyhow::{Result, bail};
use console::style;
use welltrack_stack::cluster::Role;
use welltrack_stack::edge::{Edge, Extras};
use welltrack_stack::layout::Layout;
use welltrack_stack::stack::dev_cluster;
use welltrack_stack::{Stack, cmd, supabase, ui, well_known};

use crate::{schema, setup};

/// The development database, with everything set up, started and migrated that was still to do.
pub(crate) fn dev(layout: Layout) -> Result<Stack> {
    let prefix = setup::all(&layout)?;
    Stack::dev(layout.clone(), &prefix, |cluster| schema::prepare(&layout, &prefix, cluster))
}

/// `cargo xtask up`.
pub(crate) fn up(layout: Layout, detach: bool) -> Result<()> {
    let stack = dev(layout)?;
    let edge = Edge::dev(&stack.layout, &stack)?;
    {
        let _lock = stack.layout.lock("stack")?;
        edge.start(&stack.layout, &stack, &Extras::default())?;
    }
    print_status(&stack)?;
    if detach {
        return Ok(());
    }
    ui::note("the host's log follows; Ctrl-C stops host and database");
    let followed = follow(&edge);
    let _lock = stack.layout.lock("stack")?;
    ui::step("Stopping the edge host", || edge.stop())?;
    ui::step("Stopping Postgres", || stack.stop())?;
    followed
}

/// `cargo xtask down`.
pub(crate) fn down(layout: &Layout) -> Result<()> {
    let _lock = layout.lock("stack")?;
    match Stack::running(layout)? {
        Some(stack) => {
            let edge = Edge::dev(layout, &stack)?;
            if edge.pid().is_some() {
                ui::step("Stopping the edge host", || edge.stop())?;
            }
            ui::step("Stopping Postgres", || stack.stop())
        }
        None => {
            ui::note("nothing is running");
            Ok(())
        }
    }
}

/// `cargo xtask status`: an error if nothing runs, so that scripts can ask.
pub(crate) fn status(layout: &Layout) -> Result<()> {
    match Stack::running(layout)? {
        Some(stack) => print_status(&stack),
        None => bail!("the database is not running. What to do: `cargo xtask up`"),
    }
}

/// `cargo xtask reset`.
pub(crate) fn reset(layout: &Layout) -> Result<()> {
    let prefix = setup::all(layout)?;
    let _lock = layout.lock("stack")?;
    let cluster = dev_cluster(layout, &prefix)?;
    ui::step("Starting Postgres", || cluster.start(layout))?;
    ui::step("Making the schema anew (supabase db reset)", || supabase::reset(layout, &cluster, "stack"))
}

/// `cargo xtask psql`: becomes psql.
pub(crate) fn psql(layout: Layout, args: &[String]) -> Result<()> {
    let stack = match Stack::running(&layout)? {
        Some(running) => running,
        None => dev(layout)?,
    };
    Err(stack.client("psql", Role::Postgres, "postgres").args(args).exec())
}

fn print_status(stack: &Stack) -> Result<()> {
    let one = |sql: &str| -> Result<String> { Ok(stack.query(Role::Postgres, sql)?.join(", ")) };
    let applied = supabase::applied_versions(stack)?;
    let files = supabase::migration_versions(&stack.layout.root)?;
    let pending = files.difference(&applied).count();
    let unknown = applied.difference(&files).count();
    let migrations = match (pending, unknown) {
        (0, 0) => format!("{} applied, none pending", applied.len()),
        (_, 0) => style(format!("{} applied, {pending} pending: cargo xtask up", applied.len()))
            .yellow()
            .to_string(),
        _ => style(format!(
            "{pending} pending, and {unknown} applied that this checkout lacks: cargo xtask up"
        ))
        .yellow()
        .to_string(),
    };
    let extension = one("select extversion from pg_extension where extname = 'pg_welltrack'")?;
    let since = one("select date_trunc('second', pg_postmaster_start_time())")?;
    let edge = Edge::dev(&stack.layout, stack)?;
    let api = match edge.pid() {
        Some(pid) => format!("{} (process {pid}, log {})", style(edge.url()).cyan(), edge.log().display()),
        None => style("not running: cargo xtask up").yellow().to_string(),
    };
    let rows = [
        ("API", api),
        ("publishable key", well_known::ANON_KEY.to_owned()),
        ("service key", well_known::SERVICE_KEY.to_owned()),
        ("database", style("running").green().to_string()),
        ("url", style(stack.url(Role::Postgres)).cyan().to_string()),
        ("server", one("show server_version")?),
        ("process", stack.pid().map_or_else(|| "gone".to_owned(), |pid| format!("{pid}, since {since}"))),
        ("migrations", migrations),
        ("pg_welltrack", if extension.is_empty() { "not created".to_owned() } else { extension }),
        ("size", one("select pg_size_pretty(pg_database_size(current_database()))")?),
        ("log", stack.dir().join("server.log").display().to_string()),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(name, value)| vec![style(name).bold().to_string(), value]).collect();
    print!("{}", ui::table(&rows));
    Ok(())
}

/// Copies what the host writes to its log from now on, until Ctrl-C; an error if the host ends by itself.
fn follow(edge: &Edge) -> Result<()> {
    let path = edge.log();
    let mut log = File::open(&path)?;
    log.seek(SeekFrom::End(0))?;
    let mut fresh = Vec::new();
    while !cmd::interrupted() {
        fresh.clear();
        log.read_to_end(&mut fresh)?;
        std::io::stdout().write_all(&fresh)?;
        if fresh.is_empty() && edge.pid().is_none() {
            bail!("the host has ended; its log is {}", path.display());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
