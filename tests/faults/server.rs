//! The database server itself: killed, restarted, back again.
//!
//! Promises: after [`Server::kill`] no process of it is left, as after a fall of power; after [`Server::start`] it
//! answers. Needs the folder of a cluster whose settings keep what is committed (`fsync` may be off: only processes
//! die here, not the machine), and which nobody else uses.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Names the environment variable with the cluster's data folder.
const DATA: &str = "WELLTRACK_FAULTS_PGDATA";
/// Names the environment variable with the folder of `pg_ctl`.
const BIN: &str = "WELLTRACK_TEST_PG_BIN";

/// A server that may be killed.
pub(crate) struct Server {
    data: PathBuf,
    pg_ctl: PathBuf,
}

impl Server {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> Self {
        let data = PathBuf::from(crate::variable(DATA));
        let pg_ctl = Path::new(&crate::variable(BIN)).join("pg_ctl");
        assert!(data.join("postmaster.pid").is_file(), "the server of {} does not run", data.display());
        Self { data, pg_ctl }
    }

    /// Ends every process of the server at once.
    pub(crate) fn kill(&self) {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).expect("the server runs");
        let postmaster: i32 = text.lines().next().and_then(|line| line.parse().ok()).expect("a pid");
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.unwrap_or_default();
        // The postmaster first, so that it starts nobody in a dead one's place.
        let all: Vec<i32> =
            std::iter::once(postmaster).chain(children.split_whitespace().flat_map(str::parse)).collect();
        for &pid in &all {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        wait_for("the killed server to be gone", || all.iter().all(|&pid| is_gone(pid)));
        // Where nobody reaps orphans its process still has a number, and the next start would take it for alive.
        let _ = fs::remove_file(self.data.join("postmaster.pid"));
    }

    /// Starts it and waits until it has recovered.
    pub(crate) fn start(&self) {
        let mut start = self.pg_ctl("start");
        start.arg("--log").arg(self.data.join("../server.log").as_os_str());
        let status = start.status().expect("pg_ctl can be run");
        assert!(
            status.success(),
            "the server did not come back; its log lies beside {}",
            self.data.display()
        );
    }

    /// Stops and starts it, the one way or the other: `fast` or `immediate`.
    pub(crate) fn restart(&self, mode: &str) {
        let status = self.pg_ctl("stop").args(["--mode", mode]).status().expect("pg_ctl can be run");
        assert!(status.success(), "the server did not stop");
        self.start();
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = Command::new(&self.pg_ctl);
        command.arg(what).args(["--wait", "--silent", "--timeout", "60", "--pgdata"]).arg(&self.data);
        command.stdin(Stdio::null()).env_remove("RUST_BACKTRACE").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        let owner = fs::metadata(&self.data).expect("the folder is there");
        if nix::unistd::geteuid().is_root() && owner.uid() != 0 {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command
    }
}

/// Whether no such process runs any more; one that waits to be reaped does not run.
fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim().starts_with(['Z', 'X'])))
}

/// Looks again and again until `done`, for what tells nobody when it happens; panics after a minute.
pub(crate) fn wait_for(what: &str, done: impl FnMut() -> bool) {
    wait(what, Duration::from_secs(60), done);
}

/// The same, for what takes minutes; panics after five.
pub(crate) fn wait_long_for(what: &str, done: impl FnMut() -> bool) {
    wait(what, Duration::from_secs(300), done);
}

fn wait(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let _alone = crate::alone();
    let server = Server::from_environment();
    let db = welltrack_tests::TestDb::new();
    let person = db.sign_up("committed@faults.example");
    server.kill();
    assert!(db.config_as("supabase_admin").connect(postgres::NoTls).is_err(), "nobody answers for the dead");
    server.start();
    let mut admin = crate::stage::connect(&db.config_as("supabase_admin"));
    let found = admin.query("select from public.wt_users where id = $1", &[&person.user_id]);
    assert_eq!(found.expect("people can be read").len(), 1);
}
