//! Whose days the demo's people live: real people's where the data set lies beside the checkout, else
//! generated ones.
//!
//! Promises: the same three histories in every run, each of [`DAYS`](super::history::DAYS) days, in canonical units, and a true
//! word about where they come from. Stops at readings: how a phone words them is [`super::phone`]'s business.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::history::History;
use super::{generate, lifesnaps};

/// Everything that will be sent.
pub(super) struct Data {
    /// Where it comes from, for the headline.
    pub(super) source: String,
    pub(super) histories: [History; 3],
    /// All days of everybody in the data set; nobody where there is none.
    pub(super) everybody: Vec<History>,
}

/// Reads the data set beside the checkout `root` or in the folder that WELLTRACK_DATA names; generates where
/// there is none.
///
/// # Errors
///
/// A file that is there but can't be read, or has not enough people.
pub(super) fn load(root: &Path) -> Result<Data> {
    load_from(data_set(root).as_deref())
}

/// The data set, where there is one.
pub fn data_set(root: &Path) -> Option<PathBuf> {
    let folder = folder(root, std::env::var_os("WELLTRACK_DATA").map(PathBuf::from));
    Some(folder.join("lifesnaps/daily.csv")).filter(|file| file.is_file())
}

fn folder(root: &Path, named: Option<PathBuf>) -> PathBuf {
    named.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| root.join("../shared/data"))
}

fn load_from(file: Option<&Path>) -> Result<Data> {
    let Some(file) = file else {
        return Ok(Data {
            source: format!("generated readings, seed {}", generate::SEED),
            histories: generate::histories(generate::SEED),
            everybody: vec![],
        });
    };
    let (histories, everybody) = lifesnaps::read(file)?;
    Ok(Data { source: "real readings, LifeSnaps, CC BY 4.0".to_owned(), histories, everybody })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_data_set_readings_are_generated_and_the_source_says_so() {
        let data = load_from(None).expect("generated");
        assert_eq!(data.source, "generated readings, seed 42");
    }

    #[test]
    fn the_data_set_lies_beside_the_checkout_unless_a_folder_is_named() {
        assert_eq!(folder(Path::new("/a/b"), None), Path::new("/a/b/../shared/data"));
        assert_eq!(folder(Path::new("/a/b"), Some("".into())), Path::new("/a/b/../shared/data"));
        assert_eq!(folder(Path::new("/a/b"), Some("/c".into())), Path::new("/c"));
    }
}
