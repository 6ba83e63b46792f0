//! Programs that come as subcommands of cargo, each built once at its pinned version into a folder of its own in the cache.

use std::path::{Path, PathBuf};

use anyhow::Result;
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::remove;
use welltrack_stack::layout::Layout;
use welltrack_stack::ui;

/// cargo-deny: licences, sources and bans of what is built with. `deny.toml` is for this version.
const DENY: &str = "0.20.2";

/// Installs cargo-deny, if it is not there; gives the program.
pub(crate) fn deny(layout: &Layout) -> Result<PathBuf> {
    Ok(ensure(layout, "cargo-deny", DENY)?.join("cargo-deny"))
}

/// Installs `cargo-NAME` into the cache, if it is not there; gives the folder of the program.
pub(super) fn ensure(layout: &Layout, name: &str, version: &str) -> Result<PathBuf> {
    let folder = layout.cache.join(format!("{name}-{version}"));
    let bin = folder.join("bin");
    if present(&bin.join(name), name) {
        return Ok(bin);
    }
    ui::step(&format!("Building {name} {version} (once, some minutes)"), || {
        let build = layout.cache.join(format!("{name}-build"));
        Cmd::new("cargo")
            .args(["install", name, "--locked", "--force", "--version", &format!("={version}"), "--root"])
            .arg(&folder)
            // Little work at run time: a quick build is worth more than a quick program. Without their features (downloads,
            // certificates of the machine) no OpenSSL headers are needed.
            .args(["--profile", "dev", "--no-default-features"])
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            // A target folder of its own that stays until the end: an interrupted build goes on where it was.
            .env("CARGO_TARGET_DIR", &build)
            .cwd(&layout.cache)
            .log(layout.log("setup"))
            .hint("is crates.io within reach? a C compiler is needed, too (Debian: gcc, libc6-dev)")
            .run()?;
        remove(&build)
    })?;
    Ok(bin)
}

/// Whether the program runs. As cargo does, its first word is its own name.
fn present(program: &Path, name: &str) -> bool {
    let own = name.strip_prefix("cargo-").unwrap_or(name);
    Cmd::new(program).args([own, "--version"]).succeeds()
}
