//! Up-to-date checks: a hash over the inputs of a step, and a stamp that remembers the hash of the last finished run.
//!
//! Promises: the hash depends on names and contents only, never on times, so a fresh clone agrees with an old one; a stamp is
//! written after the step has finished, so an interrupted step is done again. Stops at looking at outputs: a step whose output a
//! person may have deleted checks for that itself.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::layout::Layout;

/// Collects what a step depends on.
#[derive(Default)]
pub struct Inputs(Sha256);

impl Inputs {
    /// The hash of one text.
    pub fn of_text(text: &str) -> String {
        Self::default().text(text).finish()
    }

    /// Adds a text. Its length goes first, so that ("ab", "c") and ("a", "bc") differ.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a file, or every file below a folder, with their names. `target` folders and hidden files are left out.
    pub fn tree(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            let content = fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
            self = self.text(&name).bytes(&content);
        }
        Ok(self)
    }

    /// The hash over all that was put in, in hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// The files at or below a path, in name order.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(if path.exists() { vec![path.to_path_buf()] } else { vec![] });
    }
    let mut entries = fs::read_dir(path)
        .with_context(|| format!("could not list {}", path.display()))?
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            files.extend(files_below(&entry.path())?);
        }
    }
    Ok(files)
}

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
        crate::layout::remove(&self.0)
    }
}

/// Writes a file beside its place and renames it: at any instant the old one or the new one is there, whole.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let beside = path.with_extension(format!("tmp{}", std::process::id()));
    fs::write(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-stamp-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("scratch folder");
        dir
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_matters() {
        let one = Inputs::default().text("ab").text("c").finish();
        let two = Inputs::default().text("a").text("bc").finish();
        assert_ne!(one, two);
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn a_tree_changes_its_hash_with_a_name_or_a_byte_and_not_with_target() {
        let dir = scratch("tree");
        let hash = || Inputs::default().tree(&dir).expect("readable").finish();
        fs::write(dir.join("a"), "1").expect("write");
        let first = hash();
        fs::create_dir(dir.join("target")).expect("mkdir");
        fs::write(dir.join("target/x"), "1").expect("write");
        assert_eq!(first, hash(), "build output is no input");
        fs::rename(dir.join("a"), dir.join("b")).expect("rename");
        let renamed = hash();
        assert_ne!(first, renamed);
        fs::write(dir.join("b"), "2").expect("write");
        assert_ne!(renamed, hash());
        fs::remove_dir_all(&dir).expect("clean up");
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
