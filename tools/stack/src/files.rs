//! Files and folders: listed in order, written whole, made so that others can enter them, removed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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

/// Writes a file beside its place and renames it: at any instant the old one or the new one is there, whole.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let beside = path.with_extension(format!("tmp{}", std::process::id()));
    fs::write(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("could not write {}", path.display()))
}

/// Makes a folder that others can enter, whatever the umask: the server may be another user.
pub fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("could not make {}", dir.display())),
    }
    Ok(())
}

/// Removes a file or a folder with all that is in it; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    let result = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    result.with_context(|| format!("could not remove {}", path.display()))
}
