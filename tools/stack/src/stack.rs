//! The local stack: the development database, the edge host before it, and the commands `up`, `down`, `status`, `reset`, `psql`.
//!
//! Promises: a [`Stack`] in hand means a running server with every migration applied; `up` also has the host serve. Stops at
//! starting and stopping: the host itself is [`crate::edge`]'s.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use console::style;

use crate::cluster::throwaway::Throwaway;
use crate::cluster::{Cluster, Durability, Role};
use crate::edge::{Edge, Extras};
use crate::layout::Layout;
use crate::setup::{self, prefix::Prefix};
use crate::{cmd, schema, supabase, ui};

/// Supabase's own port for the local database.
const DB_PORT: u16 = 54_322;

/// The keys of every local Supabase, signed with its well-known secret: they protect nothing.
/// <https://supabase.com/docs/guides/self-hosting/docker>
pub(crate) mod well_known {
    pub(crate) const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
    pub(crate) const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
    pub(crate) const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";
}

/// A running database with the whole schema. Dereferences to its [`Cluster`], which has the addresses.
pub(crate) struct Stack {
    pub(crate) layout: Layout,
    cluster: Owned,
}

enum Owned {
    Kept(Cluster),
    Throwaway(Throwaway),
}

impl Deref for Stack {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match &self.cluster {
            Owned::Kept(cluster) => cluster,
            Owned::Throwaway(cluster) => cluster,
        }
    }
}

impl Stack {
    /// The development database, set up, started and migrated as far as that was still to do.
    pub(crate) fn dev(layout: Layout) -> Result<Self> {
        let prefix = setup::all(&layout)?;
        let lock = layout.lock("stack")?;
        let cluster = dev_cluster(&layout, &prefix)?;
        if cluster.pid().is_none() {
            ui::step(&format!("Starting Postgres on port {}", cluster.port()), || cluster.start(&layout))?;
        } else {
            cluster.start(&layout)?;
        }
        schema::prepare(&layout, &prefix, &cluster)?;
        ui::step("Applying migrations (supabase db push)", || supabase::push(&layout, &cluster, "stack"))?;
        drop(lock);
        Ok(Self { layout, cluster: Owned::Kept(cluster) })
    }

    /// A fresh database that is gone with this value, with every migration applied.
    pub(crate) fn throwaway(
        layout: &Layout,
        prefix: &Prefix,
        durability: Durability,
        log: &str,
    ) -> Result<Self> {
        let cluster = Throwaway::start(layout, prefix, durability)?;
        supabase::push(layout, &cluster, log)?;
        Ok(Self { layout: layout.clone(), cluster: Owned::Throwaway(cluster) })
    }
}

/// `cargo xtask up`.
pub(crate) fn up(layout: Layout, detach: bool) -> Result<()> {
    let stack = Stack::dev(layout)?;
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
    match existing(layout)? {
        Some(cluster) if cluster.pid().is_some() => {
            let edge = Edge::dev(layout, &cluster)?;
            if edge.pid().is_some() {
                ui::step("Stopping the edge host", || edge.stop())?;
            }
            ui::step("Stopping Postgres", || cluster.stop())
        }
        _ => {
            ui::note("nothing is running");
            Ok(())
        }
    }
}

/// `cargo xtask status`: an error if nothing runs, so that scripts can ask.
pub(crate) fn status(layout: &Layout) -> Result<()> {
    match existing(layout)? {
        Some(cluster) if cluster.pid().is_some() => {
            print_status(&Stack { layout: layout.clone(), cluster: Owned::Kept(cluster) })
        }
        _ => bail!("the database is not running. What to do: `cargo xtask up`"),
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
    let running = existing(&layout)?.filter(|cluster| cluster.pid().is_some());
    let psql = match running {
        Some(cluster) => cluster.client("psql", Role::Postgres, "postgres"),
        None => Stack::dev(layout)?.client("psql", Role::Postgres, "postgres"),
    };
    Err(psql.args(args).exec())
}

/// The development cluster of that Postgres; WELLTRACK_CLUSTER and WELLTRACK_DB_PORT name another one beside it.
fn dev_cluster(layout: &Layout, prefix: &Prefix) -> Result<Cluster> {
    let name = std::env::var("WELLTRACK_CLUSTER").unwrap_or_else(|_| "dev".to_owned());
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        bail!("WELLTRACK_CLUSTER may have letters, digits and hyphens, not `{name}`");
    }
    let port = match std::env::var("WELLTRACK_DB_PORT") {
        Ok(text) => {
            text.parse().with_context(|| format!("WELLTRACK_DB_PORT is a port number, not `{text}`"))?
        }
        Err(_) => DB_PORT,
    };
    // Another major version cannot read the files, so each has its own.
    let cluster = Cluster::new(layout, prefix, &format!("{name}-{}", prefix.major), port, Durability::Full);
    if cluster.port() != port {
        ui::note(&format!("the database already runs on port {}", cluster.port()));
    }
    Ok(cluster)
}

/// The development cluster as far as it was set up; nothing is made.
pub(crate) fn existing(layout: &Layout) -> Result<Option<Cluster>> {
    match Prefix::open(&layout.state.join("pg")) {
        Ok(prefix) => dev_cluster(layout, &prefix).map(Some),
        Err(_) => Ok(None),
    }
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
