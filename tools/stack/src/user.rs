//! The unprivileged user that a server runs as.

use anyhow::{Result, bail};
use nix::unistd::{Uid, User};

/// The unprivileged user that the server runs as when the caller is root: Postgres refuses root.
#[derive(Clone, Debug)]
pub struct ServerUser {
    /// As the machine calls it.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Of its group.
    pub gid: u32,
}

impl ServerUser {
    /// `None` for an ordinary user, who runs the server as himself.
    ///
    /// # Errors
    ///
    /// The caller is root and the machine has no user to run the server as.
    pub fn find() -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
            }
        }
        bail!("run as root, but there is neither a user `postgres` nor `nobody` to run the server as");
    }
}
