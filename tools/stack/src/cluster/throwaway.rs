//! Clusters for tests and comparisons: fresh, on a free port, gone when their owner is.
//!
//! Promises: an error, a panic or Ctrl-C on the way removes them too; what a killed xtask left behind is removed by the next one.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::{Cluster, Durability, names};
use crate::layout::Layout;
use crate::port;
use crate::prefix::Prefix;
use crate::ui;

/// A cluster that is gone with this value.
pub struct Throwaway(Cluster);

impl Throwaway {
    /// Starts a fresh cluster on a free port. What a killed xtask left behind is cleaned up first.
    pub fn start(layout: &Layout, prefix: &Prefix, durability: Durability) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep(layout, prefix)?;
        let name = name(&COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        let cluster = Self::adopt(Cluster::new(layout, prefix, &name, port::free()?, durability));
        cluster.0.start(layout)?;
        Ok(cluster)
    }

    /// Takes over a cluster that others make and start.
    pub fn adopt(cluster: Cluster) -> Self {
        Self(cluster)
    }
}

/// A name for a throwaway cluster of this process.
pub fn name(what: &str) -> String {
    format!("tmp-{}-{what}", std::process::id())
}

impl Deref for Throwaway {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = self.0.destroy() {
            ui::note(&format!("could not clean up {}: {error}", self.0.dir().display()));
        }
    }
}

/// Removes throwaway clusters whose xtask is no more.
pub fn sweep(layout: &Layout, prefix: &Prefix) -> Result<()> {
    for name in names(layout)? {
        if owner(&name).is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)) {
            Cluster::new(layout, prefix, &name, 0, Durability::None).destroy()?;
        }
    }
    Ok(())
}

/// 42 of "tmp-42-0": the process of xtask that made the throwaway cluster.
fn owner(name: &str) -> Option<i32> {
    name.strip_prefix("tmp-")?.split(['-', '.']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throwaway_cluster_names_its_owner_and_others_have_none() {
        assert_eq!(owner("tmp-42-0"), Some(42));
        assert_eq!(owner("tmp-42-0.new"), Some(42));
        assert_eq!(owner("dev-15"), None);
        assert_eq!(owner("tmp-x"), None);
    }
}
