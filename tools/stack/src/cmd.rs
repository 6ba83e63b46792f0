//! Running other programs: their output goes to a log, a failure says what was tried and shows the log's end.
//!
//! Promises: Ctrl-C or a termination signal ends the running child and turns into an error, so that everything on the way out (the
//! throwaway database, for one) is cleaned up; children see none of the variables that `cargo run` set for xtask. Stops at retrying.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::user::ServerUser;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// From now on a first Ctrl-C (or SIGTERM, SIGHUP) ends the running child and sets [`interrupted`]; a second one ends xtask at once.
pub fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        if let Ok(children) = CHILDREN.lock() {
            for &child in children.iter() {
                let _ = kill(Pid::from_raw(child.cast_signed()), Signal::SIGTERM);
            }
        }
    })
    .context("could not watch for Ctrl-C")
}

/// Whether somebody pressed Ctrl-C.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The error that an interrupted step ends with.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; run the same command again to go on")
    }
}

impl std::error::Error for Interrupted {}

/// A program with arguments, and where its output goes.
pub struct Cmd {
    command: Command,
    log: Option<PathBuf>,
    hint: Option<String>,
    cleanup: bool,
    also_show: Option<PathBuf>,
}

impl Cmd {
    /// A program, looked for in PATH unless it is a path. It reads nothing from standard input.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if is_not_for_children(&name) {
                command.env_remove(name);
            }
        }
        Self { command, log: None, hint: None, cleanup: false, also_show: None }
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps a variable of ours from it.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The folder that it runs in.
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs as that user, with his groups only.
    pub fn run_by(mut self, user: Option<&ServerUser>) -> Self {
        if let Some(user) = user {
            self.command.uid(user.uid).gid(user.gid).env("HOME", "/nonexistent");
        }
        self
    }

    /// Appends the output to this file instead of showing it, and asks for it without colours.
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never").env("TERM", "dumb")
    }

    /// Looks for programs in this folder first.
    pub fn path_first(self, dir: &Path) -> Self {
        let set = self
            .command
            .get_envs()
            .find(|(name, _)| *name == "PATH")
            .and_then(|(_, value)| value.map(OsString::from));
        let path = set.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        let joined =
            std::env::join_paths(std::iter::once(dir.to_path_buf()).chain(std::env::split_paths(&path)));
        // Only a folder whose name has a colon cannot be joined; the program is then looked for where it always was.
        self.env("PATH", joined.unwrap_or(path))
    }

    /// On failure, also shows the end of this file, which the program itself keeps.
    pub fn also_show(mut self, log: &Path) -> Self {
        self.also_show = Some(log.to_path_buf());
        self
    }

    /// What a person can do when it fails.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Part of cleaning up: runs even after an interruption.
    pub fn cleanup(mut self) -> Self {
        self.cleanup = true;
        self
    }

    /// Runs to the end; anything but success is an error.
    pub fn run(mut self) -> Result<()> {
        let start = match &self.log {
            Some(path) => {
                let log = open_log(path)?;
                let start = log.metadata()?.len();
                self.command.stdout(log.try_clone()?).stderr(log);
                start
            }
            None => 0,
        };
        let status = self.wait()?;
        if status.success() {
            return Ok(());
        }
        let tail = self.log.as_ref().map(|path| end_of(path, start, 40)).unwrap_or_default();
        Err(self.failed(&status.to_string(), tail))
    }

    /// Runs to the end and gives what it wrote to standard output; standard error goes to the log, if there is one.
    pub fn capture(mut self) -> Result<String> {
        self.check_interrupt()?;
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().with_context(|| self.could_not_start())?;
        let id = child.id();
        let output = with_child(id, || child.wait_with_output())?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Some(path) = &self.log {
            use std::io::Write as _;
            let mut log = open_log(path)?;
            log.write_all(&output.stdout)?;
            log.write_all(stderr.as_bytes())?;
        }
        self.check_interrupt()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = format!("{}{stderr}", String::from_utf8_lossy(&output.stdout));
        Err(self.failed(&output.status.to_string(), last_lines(&said, 40)))
    }

    /// Whether it runs and succeeds; says nothing either way.
    pub fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.wait().is_ok_and(|status| status.success())
    }

    /// Starts it with its output in this file and leaves it running, in a session of its own; gives its process.
    pub fn background(mut self, log: &Path) -> Result<u32> {
        self.check_interrupt()?;
        let log = open_log(log)?;
        self.command.stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = self.command.spawn().with_context(|| self.could_not_start())?;
        Ok(child.id())
    }

    /// Becomes the program, on this terminal. Returns only if that fails.
    pub fn exec(mut self) -> anyhow::Error {
        let error = self.command.stdin(Stdio::inherit()).exec();
        anyhow::Error::new(error).context(self.could_not_start())
    }

    fn wait(&mut self) -> Result<std::process::ExitStatus> {
        self.check_interrupt()?;
        let mut child = self.command.spawn().with_context(|| self.could_not_start())?;
        let status = with_child(child.id(), || child.wait())?;
        self.check_interrupt()?;
        Ok(status)
    }

    fn check_interrupt(&self) -> Result<()> {
        if interrupted() && !self.cleanup {
            bail!(Interrupted);
        }
        Ok(())
    }

    fn could_not_start(&self) -> String {
        format!("could not start `{}`", self.command.get_program().to_string_lossy())
    }

    fn failed(&self, status: &str, mut tail: String) -> anyhow::Error {
        if let Some(path) = &self.also_show {
            tail.push_str(&format!("\nthe end of {}:\n{}", path.display(), end_of(path, 0, 20)));
        }
        let args = self.command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        anyhow::Error::new(Failure {
            tried: format!("{} {args}", self.command.get_program().to_string_lossy()),
            status: status.to_owned(),
            tail,
            log: self.log.clone(),
            hint: self.hint.clone(),
        })
    }
}

/// A program that did not succeed.
#[derive(Debug)]
struct Failure {
    tried: String,
    status: String,
    tail: String,
    log: Option<PathBuf>,
    hint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tried: {}", self.tried)?;
        writeln!(f, "it ended with {}", self.status)?;
        for line in self.tail.lines() {
            writeln!(f, "  | {line}")?;
        }
        if let Some(log) = &self.log {
            writeln!(f, "whole log: {}", log.display())?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "what to do: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

fn with_child<T>(id: u32, wait: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let children = || CHILDREN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    children().push(id);
    let result = wait();
    children().retain(|&child| child != id);
    Ok(result?)
}

/// Variables that describe xtask's own package or the libraries it was built with; a nested build must not see them, or its
/// fingerprints would differ from those of the same build started by hand.
fn is_not_for_children(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        // Settings for libpq, psql or pgrx would lead our programs to another database or build.
        || name.starts_with("PG")
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH", "RUST_BACKTRACE"]
            .contains(&name.as_ref())
}

fn open_log(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("could not open {}", path.display()))
}

/// The last lines of a log that were written after `start`.
pub fn end_of(path: &Path, start: u64, lines: usize) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    last_lines(&read().unwrap_or_default(), lines)
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_was_tried_its_last_words_and_what_to_do() {
        let error = Cmd::new("sh")
            .args(["-c", "echo first; echo last >&2; exit 3"])
            .hint("breathe")
            .capture()
            .expect_err("fails");
        let text = error.to_string();
        for part in ["sh -c", "exit status: 3", "| first", "| last", "what to do: breathe"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        assert_eq!(last_lines("1\n2\n3\n", 2), "2\n3");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = Cmd::new("no-such-program-here").run().expect_err("cannot start");
        assert!(error.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn a_child_sees_nothing_of_xtasks_own_package() {
        let seen = Cmd::new("env").capture().expect("env runs");
        assert!(!seen.contains("CARGO_PKG_NAME") && !seen.contains("CARGO_MANIFEST_DIR"));
    }
}
