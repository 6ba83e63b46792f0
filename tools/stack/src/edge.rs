//! The edge host of a local stack: built, started in the background, stopped.
//!
//! Promises: [`Edge::start`] returns when the host is ready to serve, with the functions of these very sources; a host that
//! runs already keeps running (it reloads changed functions by itself), unless its program is another one by now. Stops at the
//! process: what it does is said in `edge_functions/host/README.md`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{Cluster, Role};
use crate::cmd::{Cmd, Interrupted, interrupted};
use crate::files::{make_dir, remove, write_whole};
use crate::layout::Layout;
use crate::{functions, port, ui};

/// Supabase's own port for the local API.
const API_PORT: u16 = 54_321;
/// The program of the local stack.
const LOCAL: &str = "welltrack-local";
/// How long the first start may take: every function is compiled for this machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The host that belongs to one cluster.
pub struct Edge {
    dir: PathBuf,
    port: u16,
}

/// What it is started with beyond the defaults of the local stack.
#[derive(Default)]
pub struct Extras {
    /// Secrets of the functions.
    pub environment: Vec<(String, String)>,
    /// `HOST:PORT` that functions may call on this machine.
    pub allowed_host: Option<String>,
}

/// How a program of the workspace is optimised: a profile of Cargo.toml.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Well enough for every day, in a third of the time.
    Host,
    /// As it is deployed.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Release => "release",
        }
    }
}

/// A program of the workspace; built if that is still to do.
pub fn program(layout: &Layout, profile: Profile, package: &str, name: &str) -> Result<PathBuf> {
    let profile = profile.name();
    Cmd::new("cargo")
        .args(["build", "--quiet", "--locked", "--profile", profile, "--package", package, "--bin", name])
        .cwd(&layout.root)
        .log(layout.log("host"))
        .hint("the log has the compiler's words")
        .run()?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| layout.root.join("target"), PathBuf::from);
    Ok(layout.root.join(target).join(profile).join(name))
}

/// The host's program as it is deployed, and the folder of the functions.
pub fn build(layout: &Layout) -> Result<(PathBuf, PathBuf)> {
    build_host(layout, Profile::Release, "welltrack_edge", "welltrack-edge")
}

/// The host's program with the rest of Supabase beside it, and the folder of the functions.
pub fn build_local(layout: &Layout) -> Result<(PathBuf, PathBuf)> {
    build_host(layout, Profile::Host, "welltrack_local", LOCAL)
}

/// The local stack's program by itself.
pub fn local_program(layout: &Layout) -> Result<PathBuf> {
    program(layout, Profile::Host, "welltrack_local", LOCAL)
}

fn build_host(layout: &Layout, profile: Profile, package: &str, name: &str) -> Result<(PathBuf, PathBuf)> {
    let components = functions::ensure(layout)?;
    let program = ui::step("Building the edge host (the first time takes minutes)", || {
        program(layout, profile, package, name)
    })?;
    Ok((program, components))
}

impl Edge {
    /// The host before that cluster; WELLTRACK_API_PORT gives it another port than Supabase's.
    pub fn dev(layout: &Layout, cluster: &Cluster) -> Result<Self> {
        let port = match std::env::var("WELLTRACK_API_PORT") {
            Ok(text) => {
                text.parse().with_context(|| format!("WELLTRACK_API_PORT is a port number, not `{text}`"))?
            }
            Err(_) => API_PORT,
        };
        Ok(Self::new(layout, cluster, port))
    }

    /// The host before that cluster, on that port. It keeps its files beside the cluster's.
    pub fn new(layout: &Layout, cluster: &Cluster, port: u16) -> Self {
        let name = cluster.dir().file_name().unwrap_or_default();
        Self { dir: layout.state.join("hosts").join(name), port }
    }

    /// The address of everything it serves.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the host says.
    pub fn log(&self) -> PathBuf {
        self.dir.join("host.log")
    }

    /// Its process, if it runs.
    pub fn pid(&self) -> Option<i32> {
        let pid: i32 = fs::read_to_string(self.dir.join("pid")).ok()?.trim().parse().ok()?;
        // The number may be another program's by now, or that of one that has ended and waits to be reaped: by us, who are
        // its parent.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, state) = stat.split_once('(')?.1.rsplit_once(") ")?;
        (name == LOCAL && !state.starts_with('Z')).then_some(pid)
    }

    /// Builds and starts it, and waits until it serves. A running one of the same program stays.
    pub fn start(&self, layout: &Layout, cluster: &Cluster, extras: &Extras) -> Result<()> {
        let (program, components) = build_local(layout)?;
        make_dir(&self.dir)?;
        if let Some(pid) = self.pid() {
            let same = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|running| running == program);
            if same && is_ready(self.port) {
                return Ok(());
            }
            self.stop()?;
        }
        port::ensure_free(self.port)?;
        ui::step(&format!("Starting the edge host on port {}", self.port), || {
            self.spawn(layout, cluster, extras, &program, &components)?;
            self.wait_until_ready()
        })
    }

    fn spawn(
        &self,
        layout: &Layout,
        cluster: &Cluster,
        extras: &Extras,
        program: &Path,
        components: &Path,
    ) -> Result<()> {
        let log = self.log();
        if log.metadata().is_ok_and(|meta| meta.len() > 16 << 20) {
            remove(&log)?;
        }
        let mut cmd = Cmd::new(program)
            .args(["serve", "--listen"])
            .arg(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)).to_string())
            .arg("--config")
            .arg(layout.root.join("supabase/config.toml"))
            .arg("--components")
            .arg(components)
            .arg("--cache")
            .arg(self.dir.join("compiled"))
            .env("SUPABASE_URL", self.url())
            .env("SUPABASE_DB_URL", cluster.url(Role::Authenticator))
            .cwd(&layout.root);
        // Where the Supabase CLI looks for the secrets of functions, too.
        let secrets = layout.root.join("supabase/functions/.env");
        if secrets.is_file() {
            cmd = cmd.arg("--env-file").arg(secrets);
        }
        if let Some(host) = &extras.allowed_host {
            cmd = cmd.args(["--allow-host", host]);
        }
        for (name, value) in &extras.environment {
            cmd = cmd.env(name, value);
        }
        let pid = cmd.background(&log)?;
        write_whole(&self.dir.join("pid"), pid.to_string())
    }

    fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        while !is_ready(self.port) {
            if interrupted() {
                bail!(Interrupted);
            }
            if self.pid().is_none() || start.elapsed() > START_TIMEOUT {
                bail!(
                    "the host did not come up; the end of its log, {}:\n{}",
                    self.log().display(),
                    crate::cmd::end_of(&self.log(), 0, 20)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it; what it has in hand is finished first.
    pub fn stop(&self) -> Result<()> {
        if let Some(pid) = self.pid() {
            let pid = Pid::from_raw(pid);
            let _ = kill(pid, Signal::SIGTERM);
            let start = Instant::now();
            while self.pid().is_some() {
                if start.elapsed() > START_TIMEOUT {
                    // It may have ended just now.
                    let _ = kill(pid, Signal::SIGKILL);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        remove(&self.dir.join("pid"))
    }
}

/// A host that is stopped, and its files removed, when this goes out of scope.
pub struct Fleeting(pub Edge);

impl Drop for Fleeting {
    fn drop(&mut self) {
        if let Err(error) = self.0.stop().and_then(|()| remove(&self.0.dir)) {
            ui::note(&format!("could not clean up {}: {error}", self.0.dir.display()));
        }
    }
}

/// Whether `/readyz` answers 200.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        use std::io::{Read as _, Write as _};
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
