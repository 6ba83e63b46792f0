//! cargo-pgrx and what is built with it: the extension, released into the private prefix.
//!
//! Promises: the version of cargo-pgrx is the one that the workspace pins; an installed extension replaces the old one file by file
//! with a rename, so a running server keeps the library that it has loaded. Stops at the private prefixes: on a real server the
//! output of `cargo pgrx package` is installed by hand, and it is the same output.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::{files_below, make_dir, remove, write_whole};
use welltrack_stack::inputs::Inputs;
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::stamp::Stamp;
use welltrack_stack::ui;

use super::cargo_programs;

/// cargo-pgrx at the workspace's version.
#[derive(Clone, Debug)]
pub(crate) struct Pgrx {
    bin: PathBuf,
}

impl Pgrx {
    /// Installs cargo-pgrx into the cache, if it is not there.
    pub(crate) fn ensure(layout: &Layout) -> Result<Self> {
        let manifest = fs::read_to_string(layout.root.join("Cargo.toml"))?;
        let version = pinned_version(&manifest).context("Cargo.toml pins no `pgrx = \"=VERSION\"`")?;
        Ok(Self { bin: cargo_programs::ensure(layout, "cargo-pgrx", version)? })
    }

    /// `cargo pgrx SUBCOMMAND` for one Postgres. `home` keeps that Postgres's settings; a build keeps to one home, or
    /// cargo would build everything anew.
    pub(crate) fn cargo(
        &self,
        layout: &Layout,
        prefix: &Prefix,
        home: &str,
        subcommand: &str,
    ) -> Result<Cmd> {
        Ok(build_env(layout, prefix, home)?.arg("pgrx").arg(subcommand).path_first(&self.bin))
    }
}

/// `cargo`, able to build the extension for one Postgres.
pub(crate) fn build_env(layout: &Layout, prefix: &Prefix, home: &str) -> Result<Cmd> {
    let home = layout.state.join(home);
    make_dir(&home)?;
    let config = format!("[configs]\n{} = \"{}\"\n", prefix.feature(), prefix.pg_config.display());
    let file = home.join("config.toml");
    if fs::read_to_string(&file).ok().as_ref() != Some(&config) {
        write_whole(&file, &config)?;
    }
    let cargo = prefix.with_libraries(Cmd::new("cargo").cwd(&layout.root).env("PGRX_HOME", home));
    Ok(match &prefix.libclang {
        Some(libclang) => cargo.env("LIBCLANG_PATH", libclang),
        None => cargo,
    })
}

/// Builds the extension and installs it into the prefix, if its sources have changed since.
pub(crate) fn ensure_extension(layout: &Layout, prefix: &Prefix) -> Result<()> {
    let stamp = Stamp::new(layout, "extension");
    let hash = sources(layout)?.text(&prefix.version).text(&prefix.pg_config.to_string_lossy()).finish();
    if stamp.is(&hash) && prefix.share.join("extension/pg_welltrack.control").exists() {
        return Ok(());
    }
    let pgrx = Pgrx::ensure(layout)?;
    stamp.clear()?;
    ui::step(&format!("Building the extension for Postgres {}", prefix.major), || {
        let package = package(layout, prefix, &pgrx)?;
        install(&package, prefix)
    })?;
    stamp.set(&hash)
}

/// Runs `cargo pgrx package` and gives the folder it filled: the tree as it would lie below `/`.
pub(crate) fn package(layout: &Layout, prefix: &Prefix, pgrx: &Pgrx) -> Result<PathBuf> {
    let out = layout.state.join("package");
    remove(&out)?;
    let home = if prefix.root == Path::new("/") { "pgrx-machine" } else { "pgrx" };
    pgrx.cargo(layout, prefix, home, "package")?
        .args(["--package", "pg_welltrack", "--no-default-features", "--features", &prefix.feature()])
        .arg("--pg-config")
        .arg(&prefix.pg_config)
        .arg("--out-dir")
        .arg(&out)
        .log(layout.log("extension"))
        .hint("a C compiler is needed (Debian: gcc, libc6-dev); else the log says what the build lacks")
        .run()?;
    Ok(out)
}

/// Moves a packaged tree to its place in the prefix that it was built for.
fn install(package: &Path, prefix: &Prefix) -> Result<()> {
    let tree = package.join(prefix.root.strip_prefix("/")?);
    let files = files_below(&tree)?;
    ensure!(files.len() >= 3, "cargo pgrx package left {} files in {}", files.len(), tree.display());
    for file in files {
        let target = prefix.root.join(file.strip_prefix(&tree)?);
        let beside = target.with_extension("new");
        fs::copy(&file, &beside)
            .and_then(|_| fs::rename(&beside, &target))
            .with_context(|| format!("could not write {}", target.display()))?;
    }
    Ok(())
}

/// What the extension is built from.
fn sources(layout: &Layout) -> Result<Inputs> {
    let rustc = Cmd::new("rustc").arg("-vV").cwd(&layout.root).capture()?;
    let mut inputs = Inputs::default().text(&rustc);
    for name in ["Cargo.toml", "Cargo.lock", "core/Cargo.toml", "core/src", "pg_welltrack"] {
        inputs = inputs.tree(&layout.root.join(name))?;
    }
    Ok(inputs)
}

/// "0.18.1" of a line `pgrx = "=0.18.1"`.
fn pinned_version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("pgrx = \"=")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_pgrx_is_the_workspaces_pin() {
        assert_eq!(
            pinned_version("[workspace.dependencies]\npgrx = \"=0.18.1\"\npgrx-tests = \"=0.18.1\"\n"),
            Some("0.18.1")
        );
        assert_eq!(pinned_version("pgrx = \"0.18\"\n"), None);
    }
}
