//! A stamp remembers the hash of the inputs that a step last finished with ([`crate::inputs`]).
//!
//! It is written after the step has finished, so an interrupted step is done again. A step whose output a person may have deleted
//! checks for that itself.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::files::{remove, write_whole};
use crate::layout::Layout;

/// What a step remembers between runs.
pub struct Stamp(PathBuf);

impl Stamp {
    /// The stamp of that step.
    pub fn new(layout: &Layout, step: &str) -> Self {
        Self(layout.state.join("stamps").join(step))
    }

    /// Whether the step last finished with that hash.
    pub fn is(&self, hash: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|seen| seen == hash)
    }

    /// Written beside and renamed, so that it is whole or absent.
    pub fn set(&self, hash: &str) -> Result<()> {
        write_whole(&self.0, hash)
    }

    /// Forgets that the step ever finished.
    pub fn clear(&self) -> Result<()> {
        remove(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("welltrack-stamp-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("scratch folder");
        dir
    }

    #[test]
    fn a_stamp_is_only_what_was_set_last() {
        let stamp = Stamp(scratch("stamp").join("s"));
        assert!(!stamp.is("x"));
        stamp.set("x").expect("set");
        assert!(stamp.is("x") && !stamp.is("y"));
        stamp.clear().expect("clear");
        assert!(!stamp.is("x"));
    }
}
