//! The processes that `bench edge` compares: the host with a few functions, and Deno with the same work written by hand.
//!
//! Promises: each is started as one would run it in production (no stand-ins, the log at `warn`), and gone with its value. Stops at
//! starting, and at reading what a process has used.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use welltrack_stack::cluster::Role;
use welltrack_stack::files::{make_dir, remove};
use welltrack_stack::{Stack, edge, functions, npm, port, well_known};

use super::load::{Connection, post};

/// Clients at once, and connections to the database on either side.
pub(super) const CLIENTS: usize = 32;

/// What webhooks must be told.
pub(super) const SECRET: &str = "a-secret-for-the-benchmark";

/// Where the host serves `hello`.
pub(super) const HELLO_PATH: &str = "/functions/v1/hello";

/// Where the host takes Garmin's pushes.
pub(super) fn webhook_path() -> String {
    format!("/functions/v1/garmin-webhook/{SECRET}")
}

/// A function's name and its part of the settings.
pub(super) type Function = (&'static str, &'static str);

pub(super) const HELLO: Function = ("hello", "");
pub(super) const WEBHOOK: Function = (
    "garmin-webhook",
    "service_key = true\nbody_mb = 100\nmemory_mb = 1024\nsecrets = [\"GARMIN_WEBHOOK_SECRET\"]\n",
);
pub(super) const WORKER: Function = (
    "process-events",
    "service_key = true\nlisten = \"welltrack_events\"\npoll_s = 30\nmax_parallel_runs = 1\ncpu_ms = 60000\nfirst_byte_s = 240\n\
     total_s = 240\nmemory_mb = 1024\n",
);

/// How each of the two is started.
pub(super) struct Programs {
    host: PathBuf,
    /// The functions, and the guests of the tests: `hello` is one of these.
    components: [PathBuf; 2],
    deno: PathBuf,
    sources: PathBuf,
    folder: PathBuf,
    database: String,
}

impl Programs {
    /// Builds the host and its functions, and installs Deno.
    pub(super) fn ready(stack: &Stack) -> Result<Self> {
        let (host, components) = edge::build(&stack.layout)?;
        let components = [components, functions::guests(&stack.layout)?];
        let sources = stack.layout.root.join("tests/deno");
        npm::install(&stack.layout, &sources, "deno", "Installing Deno (npm)")?;
        let folder = stack.layout.state.join("bench-edge");
        remove(&folder)?;
        Ok(Self {
            host,
            components,
            deno: sources.join("node_modules/.bin/deno"),
            sources,
            folder,
            database: stack.url(Role::Authenticator),
        })
    }

    /// Starts the host with these functions and no others. What it compiles is kept for the next start.
    pub(super) fn host(&self, functions: &[Function]) -> Result<Server> {
        let names: Vec<_> = functions.iter().map(|(name, _)| *name).collect();
        let folder = self.folder.join(names.join("-"));
        if !folder.exists() {
            make_dir(&folder)?;
            // As the project's own functions.toml has it, but for the connections: as many as Deno's.
            let (mut config, mut limits) = (
                String::new(),
                format!(
                    "[host]\nshared_commits = [\"receive_webhook_events\"]\ndatabase_connections = {}\n",
                    CLIENTS
                ),
            );
            for (name, settings) in functions {
                config += &format!("[functions.{name}]\nverify_jwt = false\n");
                limits += &format!("[functions.{name}]\n{settings}");
                let component = format!("{name}.wasm");
                let mut places = self.components.iter().map(|folder| folder.join(&component));
                let built = places.find(|file| file.is_file());
                let built = built.with_context(|| format!("{component} was not built"))?;
                fs::copy(built, folder.join(&component))?;
            }
            fs::write(folder.join("config.toml"), config)?;
            fs::write(folder.join("functions.toml"), limits)?;
        }
        let port = port::free()?;
        let mut command = Command::new(&self.host);
        command
            .args(["serve", "--log-level", "warn", "--listen", &format!("127.0.0.1:{port}"), "--config"])
            .arg(folder.join("config.toml"))
            .arg("--components")
            .arg(&folder)
            .arg("--cache")
            .arg(self.folder.join("compiled"))
            .env("SUPABASE_URL", format!("http://127.0.0.1:{port}"))
            .env("SUPABASE_DB_URL", &self.database)
            .env("SUPABASE_JWT_SECRET", well_known::JWT_SECRET)
            .env("SUPABASE_ANON_KEY", well_known::ANON_KEY)
            .env("SUPABASE_SERVICE_ROLE_KEY", well_known::SERVICE_KEY)
            .env("GARMIN_WEBHOOK_SECRET", SECRET);
        Server::start(command, port)
    }

    /// Starts Deno with all of its routes.
    pub(super) fn deno(&self) -> Result<Server> {
        let port = port::free()?;
        let mut command = Command::new(&self.deno);
        command
            .args(["run", "--quiet", "--allow-all", "server.js"])
            .current_dir(&self.sources)
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("SUPABASE_DB_URL", &self.database)
            .env("GARMIN_WEBHOOK_SECRET", SECRET)
            .env("PORT", port.to_string());
        Server::start(command, port)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = remove(&self.folder);
    }
}

/// A running process that listens.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Server {
    fn start(mut command: Command, port: u16) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("could not start {command:?}"))?, port })
    }

    /// Asks `hello` at `path` until it is answered 200.
    pub(super) fn wait(mut self, path: &str) -> Result<Self> {
        let start = Instant::now();
        let request = post(path, r#"{"name":"Ada"}"#);
        loop {
            if let Ok(mut connection) = Connection::open(self.port) {
                ensure!(connection.status_of(&request)? < 500, "the first request failed");
                return Ok(self);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended before it served: {status}");
            }
            ensure!(start.elapsed() < Duration::from_secs(60), "a server does not come up");
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// The processor time it has used. In ticks of 10 ms, as Linux tells it on every machine: for thousands of requests.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(") ").context("reading /proc/PID/stat")?.1;
        let ticks: u64 =
            after_name.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// The memory it occupies, in megabytes.
    pub(super) fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("reading /proc/PID/status")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
