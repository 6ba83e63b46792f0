//! Real `welltrack-local` processes with the real components, on ports that they keep when they come back.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::wait_for;
use crate::tokens;

/// Names the environment variable with the host's program.
const BINARY: &str = "WELLTRACK_LOCAL_BIN";
/// Names the environment variable with the folder of the functions' components.
const COMPONENTS: &str = "WELLTRACK_COMPONENTS";

/// What every host of a stage is started with.
#[derive(Clone)]
pub(crate) struct HostSettings {
    /// The authenticator's address of the database.
    pub(crate) database: String,
    /// The providers' stand-in, `127.0.0.1:PORT`.
    pub(crate) provider: String,
    /// What the functions are told.
    pub(crate) environment: Vec<(String, String)>,
    /// The functions' settings, `functions.toml` beside it.
    pub(crate) config: PathBuf,
    /// For logs.
    pub(crate) folder: PathBuf,
}

/// One host, running or killed.
pub(crate) struct Host {
    settings: HostSettings,
    port: u16,
    number: usize,
    child: Option<Child>,
}

impl Host {
    /// Starts host `number` and waits until it is ready.
    pub(crate) fn start(settings: &HostSettings, number: usize) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut host = Self { settings: settings.clone(), port, number, child: None };
        host.bring_back();
        host
    }

    /// Such as `http://127.0.0.1:41234`.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often its schedules have called functions.
    pub(crate) fn ticks(&self) -> u64 {
        let (_, metrics) = read(&format!("{}/metrics", self.origin())).expect("the host tells its figures");
        let lines = metrics.lines().filter(|line| {
            line.starts_with("welltrack_edge_trigger_runs_total{") && line.contains("schedule")
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// What it has said so far, of all its lives.
    pub(crate) fn log(&self) -> PathBuf {
        self.settings.folder.join(format!("host-{}.log", self.number))
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it where it was, and waits until it is ready.
    pub(crate) fn bring_back(&mut self) {
        if self.child.is_some() {
            return;
        }
        self.child = Some(self.spawn());
        let url = format!("{}/readyz", self.origin());
        let log = self.log();
        wait_for(&format!("the host to be ready; its log is {}", log.display()), || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                panic!("the host ended by itself ({status}); its log is {}", log.display());
            }
            get(&url) == Some(200)
        });
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log can be written");
        let mut command = Command::new(crate::variable(BINARY));
        command
            .args(["serve", "--log", "json", "--allow-host", &self.settings.provider])
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--config")
            .arg(&self.settings.config)
            .arg("--components")
            .arg(crate::variable(COMPONENTS))
            .arg("--cache")
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("edge-cache"));
        command.env_clear().envs(self.settings.environment.iter().cloned()).envs([
            ("SUPABASE_URL", self.origin()),
            ("SUPABASE_ANON_KEY", tokens::anon()),
            ("SUPABASE_SERVICE_ROLE_KEY", tokens::service()),
            ("SUPABASE_DB_URL", self.settings.database.clone()),
            ("SUPABASE_JWT_SECRET", tokens::SECRET.to_owned()),
        ]);
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("one more handle")).stdout(log);
        command.spawn().expect("the host can be started")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The status of a GET, on a connection of its own; `None` where nobody answered.
pub(crate) fn get(url: &str) -> Option<u16> {
    read(url).map(|(status, _)| status)
}

/// Status, headers and body of a GET.
pub(crate) fn read(url: &str) -> Option<(u16, String)> {
    let (address, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Some((answer.get(9..12)?.parse().ok()?, answer))
}
