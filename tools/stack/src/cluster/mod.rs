//! A Postgres cluster in one folder: made from a template that holds what a Supabase image contains, started, stopped, asked.
//!
//! Promises: a cluster's folder is whole or absent; run by root, the server is the unprivileged user's; a template is built once for
//! each version of Postgres and of `bootstrap/`. Stops at the schema: migrations are the business of `stack` and `supabase`.

mod bootstrap;
pub mod throwaway;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cmd::Cmd;
use crate::files::{make_dir, remove, write_whole};
use crate::layout::Layout;
use crate::port;
use crate::prefix::Prefix;
use crate::user::ServerUser;

/// The Supabase CLI's well-known local password, of every role that may log in.
const PASSWORD: &str = "postgres";

/// Who may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `postgres`: owns the schema, is not superuser; migrations run as this.
    Postgres,
    /// `supabase_admin`: the superuser; for tests that must look behind the curtain.
    SupabaseAdmin,
    /// `supabase_auth_admin`: GoTrue's role, owns `auth.users`; signs people up.
    AuthAdmin,
    /// `authenticator`: PostgREST's role, may become anon, authenticated or service_role.
    Authenticator,
}

impl Role {
    /// The role's name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::SupabaseAdmin => "supabase_admin",
            Self::AuthAdmin => "supabase_auth_admin",
            Self::Authenticator => "authenticator",
        }
    }
}

/// How much a cluster values its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As a real server: a commit survives a crash.
    Full,
    /// For tests: nothing survives a crash of the machine, everything is faster.
    None,
}

/// One cluster. The server may be running or not.
#[derive(Clone, Debug)]
pub struct Cluster {
    prefix: Prefix,
    dir: PathBuf,
    port: u16,
    durability: Durability,
    user: Option<ServerUser>,
}

impl Cluster {
    /// The cluster of that name; it is made when it is first [started](Self::start).
    pub fn new(layout: &Layout, prefix: &Prefix, name: &str, port: u16, durability: Durability) -> Self {
        let dir = folder(layout).join(name);
        let port = Postmaster::of(&dir).map_or(port, |running| running.port);
        Self { prefix: prefix.clone(), dir, port, durability, user: layout.server_user.clone() }
    }

    /// The port it listens on, or will.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the cluster; the server writes `server.log` in it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's process, if it runs.
    pub fn pid(&self) -> Option<i32> {
        Postmaster::of(&self.dir).map(|running| running.pid)
    }

    /// The address of a database of this cluster, for that role.
    pub fn url_of(&self, role: Role, database: &str) -> String {
        format!("postgresql://{}:{PASSWORD}@127.0.0.1:{}/{database}", role.name(), self.port)
    }

    /// The address of the main database, `postgres`, for that role.
    pub fn url(&self, role: Role) -> String {
        self.url_of(role, "postgres")
    }

    /// Stops the server; waits for sessions to be cut off, not for them to finish.
    pub fn stop(&self) -> Result<()> {
        self.stop_with("fast")
    }

    /// Stops the server without a last checkpoint and removes the folder.
    pub fn destroy(&self) -> Result<()> {
        self.stop_with("immediate")?;
        remove(&self.dir)
    }

    /// A client program of Postgres, set to connect to a database as that role.
    pub fn client(&self, program: &str, role: Role, database: &str) -> Cmd {
        self.connected(self.prefix.cmd(program), role, database)
    }

    /// Any program that asks libpq's variables, set to connect to a database as that role.
    pub fn connected(&self, cmd: Cmd, role: Role, database: &str) -> Cmd {
        cmd.env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", role.name())
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", database)
            .env("PGSSLMODE", "disable")
    }

    /// psql for scripts: no start-up file, stops at the first error.
    pub fn psql(&self, role: Role, database: &str) -> Cmd {
        self.client("psql", role, database).args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
    }

    /// Runs SQL in the main database and gives the rows, their columns parted by tabs.
    pub fn query(&self, role: Role, sql: &str) -> Result<Vec<String>> {
        let text = self
            .psql(role, "postgres")
            .args(["--tuples-only", "--no-align", "--field-separator", "\t", "--command", sql])
            .capture()?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The server's own files.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Makes a folder that belongs to the server's user, and to him alone.
    fn make_own(&self, dir: &Path) -> Result<()> {
        make_dir(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        if let Some(user) = &self.user {
            chown(dir, Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }

    /// Runs a program of the server as its user.
    fn server(&self, program: &str) -> Cmd {
        // A backtrace that the server's environment asks for would end up in what clients see.
        self.prefix
            .cmd(program)
            .run_by(self.user.as_ref())
            .cwd(&self.dir)
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
    }

    /// Starts the server of a cluster that is there, with settings for this once, such as `jit=off`.
    pub fn start_server(&self, settings: &[&str]) -> Result<()> {
        if self.pid().is_some() {
            return Ok(());
        }
        port::ensure_free(self.port)?;
        self.write_settings()?;
        let log = self.dir.join("server.log");
        if log.metadata().is_ok_and(|meta| meta.len() > 16 << 20) {
            remove(&log)?;
        }
        self.server("pg_ctl")
            .args(["start", "--wait", "--silent", "--timeout", "60", "--pgdata"])
            .arg(self.data())
            .arg("--log")
            .arg(&log)
            .arg("--options")
            .arg(settings.iter().map(|setting| format!("-c {setting} ")).collect::<String>())
            .also_show(&log)
            .capture()
            .map(drop)
    }

    fn write_settings(&self) -> Result<()> {
        let mut settings = String::from(include_str!("../../bootstrap/postgresql.conf"));
        settings.push_str(&format!("\n# This start\nport = {}\n", self.port));
        if self.durability == Durability::None {
            settings.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n");
        }
        for (name, text) in [
            ("postgresql.conf", settings.as_str()),
            ("pg_hba.conf", "host all,replication all 127.0.0.1/32 scram-sha-256\n"),
        ] {
            let file = self.data().join(name);
            write_whole(&file, text)?;
            if let Some(user) = &self.user {
                chown(&file, Some(user.uid), Some(user.gid))?;
            }
        }
        Ok(())
    }

    fn stop_with(&self, mode: &str) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        self.server("pg_ctl")
            .args(["stop", "--wait", "--silent", "--timeout", "60", "--mode", mode, "--pgdata"])
            .arg(self.data())
            .cleanup()
            .capture()
            .map(drop)
    }
}

/// The name of a cluster of this checkout whose server runs, if any does.
pub fn any_running(layout: &Layout) -> Result<Option<String>> {
    Ok(names(layout)?.into_iter().find(|name| Postmaster::of(&folder(layout).join(name)).is_some()))
}

/// The clusters of this checkout.
pub fn names(layout: &Layout) -> Result<Vec<String>> {
    let Ok(listing) = fs::read_dir(folder(layout)) else { return Ok(Vec::new()) };
    Ok(listing.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn folder(layout: &Layout) -> PathBuf {
    layout.state.join("clusters")
}

/// What a running server says of itself in `postmaster.pid`.
struct Postmaster {
    pid: i32,
    port: u16,
}

impl Postmaster {
    fn of(dir: &Path) -> Option<Self> {
        let running = Self::parse(&fs::read_to_string(dir.join("data/postmaster.pid")).ok()?)?;
        // After a crash of the machine the file is still there and the number may be another program's.
        let name = fs::read_to_string(format!("/proc/{}/comm", running.pid)).ok()?;
        (name.trim() == "postgres").then_some(running)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok().filter(|&pid| pid > 0)?;
        Some(Self { pid, port: lines.get(3)?.trim().parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_server_is_known_by_its_pid_file() {
        let text = "4711\n/data\n1700000000\n54322\n\n127.0.0.1\n  1 2\nready\n";
        let running = Postmaster::parse(text).expect("whole");
        assert_eq!((running.pid, running.port), (4711, 54322));
    }

    #[test]
    fn a_half_written_pid_file_is_no_server() {
        for text in ["", "4711\n", "x\n\n\n54322\n", "-1\na\nb\n1\n", "0\na\nb\n1\n", "1\na\nb\n70000\n"] {
            assert!(Postmaster::parse(text).is_none(), "{text:?}");
        }
    }
}
