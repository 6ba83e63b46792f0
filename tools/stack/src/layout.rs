//! Where things lie: the checkout, the state under `.welltrack/`, the cache of downloads and tools.
//!
//! Promises: every path that xtask writes to is inside the state or the cache (and `target/`, `node_modules/`, which cargo and npm
//! keep); when run as root, the server's unprivileged user can reach the state. Stops at paths: what is put there is others' work.

use std::fs::{File, TryLockError};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cmd::{Cmd, Interrupted, interrupted};
use crate::files::make_dir;
use crate::inputs::Inputs;
use crate::ui;
use crate::user::ServerUser;

/// The folders of one checkout.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The checkout.
    pub root: PathBuf,
    /// `.welltrack/`, or where WELLTRACK_STATE says.
    pub state: PathBuf,
    /// Debian packages and cargo programs: `cache/` in the state, or where WELLTRACK_CACHE says.
    pub cache: PathBuf,
    /// Who runs the server, where that is not the caller.
    pub server_user: Option<ServerUser>,
}

impl Layout {
    /// Finds the folders and makes those that are missing.
    pub fn find() -> Result<Self> {
        // `cargo run` sets the variable anew for each checkout; the constant is for a binary started by hand.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        // `tools/xtask`, or this library beside it.
        let root = manifest.ancestors().nth(2).context("tools/xtask lies in the checkout")?.to_path_buf();
        let server_user = ServerUser::find()?;
        let state = match folder_from_env("WELLTRACK_STATE")? {
            Some(state) => state,
            None => default_state(&root, server_user.as_ref())?,
        };
        make_dir(&state)?;
        let state = state.canonicalize()?;
        if let Some(user) = &server_user
            && !can_enter(user, &state)
        {
            bail!(
                "the server runs as user `{}`, who cannot enter {}; set WELLTRACK_STATE to a folder that everyone can enter",
                user.name,
                state.display()
            );
        }
        let cache = folder_from_env("WELLTRACK_CACHE")?.unwrap_or_else(|| state.join("cache"));
        make_dir(&cache)?;
        let cache = cache.canonicalize()?;
        for dir in ["logs", "stamps"] {
            make_dir(&state.join(dir))?;
        }
        Ok(Self { root, state, cache, server_user })
    }

    /// The log file of a step; a run of xtask appends to it.
    pub fn log(&self, step: &str) -> PathBuf {
        self.state.join("logs").join(format!("{step}.log"))
    }

    /// Holds off another xtask of the same checkout at the same kind of work until the guard is dropped.
    pub fn lock(&self, name: &str) -> Result<File> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.state.join(format!("{name}.lock")))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error).context("could not lock"),
                Err(TryLockError::WouldBlock) if interrupted() => bail!(Interrupted),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        ui::note(&format!("another cargo xtask is busy here ({name}); waiting for it"));
                        told = true;
                    }
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
        Ok(file)
    }
}

fn folder_from_env(name: &str) -> Result<Option<PathBuf>> {
    match std::env::var_os(name) {
        Some(value) if !value.is_empty() => Ok(Some(std::path::absolute(PathBuf::from(value))?)),
        _ => Ok(None),
    }
}

fn default_state(root: &Path, server_user: Option<&ServerUser>) -> Result<PathBuf> {
    let state = root.join(".welltrack");
    let Some(user) = server_user else { return Ok(state) };
    if can_enter(user, root) {
        return Ok(state);
    }
    // A checkout below /root, for example: the state moves to where the server's user can be, and a link shows the way.
    let elsewhere = Path::new("/var/lib/welltrack").join(&Inputs::of_text(&root.to_string_lossy())[..16]);
    make_dir(&elsewhere)?;
    if state.symlink_metadata().is_err() {
        symlink(&elsewhere, &state).context("could not link .welltrack")?;
        ui::note(&format!(
            "user `{}` cannot enter this checkout: the state lies in {}",
            user.name,
            elsewhere.display()
        ));
    }
    Ok(state)
}

fn can_enter(user: &ServerUser, dir: &Path) -> bool {
    Cmd::new("/usr/bin/test").arg("-x").arg(dir).cwd("/").run_by(Some(user)).succeeds()
}
