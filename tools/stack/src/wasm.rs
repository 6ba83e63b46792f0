//! The compiler of the edge functions: Rust for `wasm32-wasip2`.
//!
//! Promises: where the machine's own toolchain has that target (`rustup target add wasm32-wasip2`), it is used as it is; elsewhere
//! Debian's packages, fetched without root, give a whole toolchain below the cache, whose standard library is then built with the
//! functions. Stops at cargo: what is built, and where it goes, is `functions`'.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cmd::Cmd;
use crate::debs;
use crate::files::{make_dir, remove};
use crate::layout::Layout;
use crate::ui;

/// What functions are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// Functions begin with the memory that most requests need: for each step of growth the kernel changes the rights of pages and
/// interrupts every other thread of the host. Without that a push costs the host a quarter less (437 to 316 microseconds).
const INITIAL_MEMORY: &str = "-Clink-arg=--initial-memory=2097152";

const ADVICE: &str = "run `rustup target add wasm32-wasip2` (or install your distribution's Rust standard library for that target)";

/// A compiler for [`TARGET`].
#[derive(Clone, Debug)]
pub enum Toolchain {
    /// The machine's.
    Machine,
    /// Debian's, below this folder.
    Debian(PathBuf),
}

impl Toolchain {
    /// The machine's toolchain, or Debian's, which is fetched if it is not there.
    pub fn ensure(layout: &Layout) -> Result<Self> {
        if machine_has_target(layout) {
            return Ok(Self::Machine);
        }
        ensure!(
            debs::available(),
            "this machine's Rust cannot build for {TARGET}. What to do: {ADVICE}, then the same command again"
        );
        let wanted = debs::wasm_compiler(layout, &minimum_version(layout)?, ADVICE)?;
        let root = layout.cache.join(format!("rust-{TARGET}-{}", wanted.version));
        if !root.is_dir() {
            ui::step(&format!("Fetching Rust {} for {TARGET} (Debian packages)", wanted.version), || {
                assemble(layout, &wanted.packages, &root)
            })?;
        }
        Ok(Self::Debian(root))
    }

    /// What a build depends on beside its sources.
    pub fn version(&self, layout: &Layout) -> Result<String> {
        let compiler = match self {
            Self::Machine => Cmd::new("rustc").arg("-vV").cwd(&layout.root).capture()?,
            Self::Debian(root) => root.to_string_lossy().into_owned(),
        };
        Ok(format!("{compiler}\n{INITIAL_MEMORY}"))
    }

    /// `cargo build` for [`TARGET`], ready for more arguments.
    pub fn cargo_build(&self) -> Result<Cmd> {
        let Self::Debian(root) = self else {
            return Ok(Cmd::new("cargo")
                .args(["build", "--target", TARGET])
                .env("CARGO_ENCODED_RUSTFLAGS", INITIAL_MEMORY));
        };
        let bin = root.join("usr/bin");
        // Cargo's own separator: paths may hold spaces.
        let flags = [
            INITIAL_MEMORY.to_owned(),
            format!("-Clink-arg=--wasm-ld-path={}", wasm_ld(root)?.display()),
            format!("-Lnative={}", root.join("usr/lib/wasm32-wasi").display()),
        ]
        .join("\x1f");
        Ok(Cmd::new(bin.join("cargo"))
            .args(["build", "--target", TARGET, "-Z", "build-std=std,panic_abort"])
            .env("RUSTC", bin.join("rustc"))
            // Debian ships the standard library's source and not its build for this target; building it is unstable.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LD_LIBRARY_PATH", libraries(root)?)
            .env("CARGO_ENCODED_RUSTFLAGS", flags))
    }
}

/// Whether `rustc` has the target's standard library.
fn machine_has_target(layout: &Layout) -> bool {
    Cmd::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .cwd(&layout.root)
        .capture()
        .is_ok_and(|folder| starting_with(Path::new(folder.trim()), "libstd-").is_some())
}

/// "1.95" of the workspace's `rust-version`: what the functions share with the rest of the project asks for it.
fn minimum_version(layout: &Layout) -> Result<String> {
    let manifest = fs::read_to_string(layout.root.join("Cargo.toml"))?;
    rust_version(&manifest).map(str::to_owned).context("Cargo.toml has no `rust-version`")
}

fn rust_version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
}

/// Unpacks the packages beside the toolchain's place and moves them there.
fn assemble(layout: &Layout, packages: &[String], root: &Path) -> Result<()> {
    let files = debs::fetch(layout, packages)?;
    let beside = layout.cache.join(format!("rust-{TARGET}.new"));
    remove(&beside)?;
    make_dir(&beside)?;
    debs::unpack(layout, &files, &beside)?;
    shed(&beside)?;
    // What was fetched must run here, or it must not look as if it did.
    let rustc = Cmd::new(beside.join("usr/bin/rustc")).env("LD_LIBRARY_PATH", libraries(&beside)?);
    rustc.arg("--version").hint(ADVICE).capture()?;
    wasm_ld(&beside)?;
    fs::rename(&beside, root).with_context(|| format!("could not move the toolchain to {}", root.display()))
}

/// Half of what the packages hold is the compiler's own source.
fn shed(root: &Path) -> Result<()> {
    remove(&root.join("usr/share"))?;
    let sources = root.join("usr/src");
    for release in
        fs::read_dir(&sources).with_context(|| format!("{} is missing", sources.display()))?.flatten()
    {
        for entry in fs::read_dir(release.path())?.flatten() {
            if entry.file_name() != "library" {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// The folder of the toolchain's own shared libraries.
fn libraries(root: &Path) -> Result<PathBuf> {
    let lib = root.join("usr/lib");
    let folder = fs::read_dir(&lib)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().ends_with("-linux-gnu"))
        .map(|entry| entry.path());
    folder.with_context(|| format!("no shared libraries in {}", lib.display()))
}

/// The linker, whatever its version.
fn wasm_ld(root: &Path) -> Result<PathBuf> {
    let bin = root.join("usr/bin");
    match starting_with(&bin, "wasm-ld-") {
        Some(linker) => Ok(linker),
        None => bail!("no wasm-ld in {}. What to do: remove {} and try again", bin.display(), root.display()),
    }
}

fn starting_with(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut found = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    found.next().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_version_is_the_workspaces() {
        assert_eq!(rust_version("[workspace.package]\nrust-version = \"1.95\"\n"), Some("1.95"));
        assert_eq!(rust_version("edition = \"2024\"\n"), None);
    }
}
