//! The Supabase CLI and the formatter of its generated types, from npm, at the versions that `package-lock.json` pins.

use std::path::Path;

use anyhow::{Result, bail};

use crate::cmd::Cmd;
use crate::inputs::Inputs;
use crate::layout::Layout;
use crate::stamp::Stamp;
use crate::ui;

/// Installs what the project's lock file says, if that has not been done.
pub fn ensure(layout: &Layout) -> Result<()> {
    install(layout, &layout.root, "npm", "Installing the Supabase CLI (npm)")
}

/// Installs what the lock file in `folder` says, if that has not been done; `name` is that of the stamp.
pub fn install(layout: &Layout, folder: &Path, name: &str, title: &str) -> Result<()> {
    let stamp = Stamp::new(layout, name);
    let hash = Inputs::default()
        .tree(&folder.join("package-lock.json"))?
        // A checkout that shares its state with none knows whether *its* node_modules were filled.
        .text(&folder.to_string_lossy())
        .finish();
    if stamp.is(&hash) && folder.join("node_modules/.bin").exists() {
        return Ok(());
    }
    if !Cmd::new("npm").arg("--version").succeeds() {
        bail!(
            "npm is missing. What to do: install Node.js 20 or newer with npm (Debian 13: `sudo apt-get install nodejs npm`; others: nodejs.org)"
        );
    }
    stamp.clear()?;
    ui::step(title, || {
        // Not `npm ci`: it refuses a lock file that lacks the CLI's binary packages of other platforms, which npm leaves out
        // where the registry does not offer them. This keeps to the locked versions too, and writes no lock file.
        Cmd::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund"])
            .cwd(folder)
            .log(layout.log("setup"))
            .hint("is the npm registry within reach? `npm install --no-save` by hand shows more")
            .run()
    })?;
    stamp.set(&hash)
}
