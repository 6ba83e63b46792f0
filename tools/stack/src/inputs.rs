//! A hash over what a step depends on, for up-to-date checks.
//!
//! It depends on names and contents only, never on times, so a fresh clone agrees with an old one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::files::files_below;

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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("welltrack-inputs-{}-{name}", std::process::id()));
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
}
