//! The Supabase CLI and the formatter of its generated types, from npm, at the versions that `package-lock.json` pins.

use anyhow::{Result, bail};

use crate::cmd::Cmd;
use crate::layout::Layout;
use crate::stamp::{Inputs, Stamp};
use crate::ui;

/// Installs what the lock file says, if that has not been done.
pub(crate) fn ensure(layout: &Layout) -> Result<()> {
    let stamp = Stamp::new(layout, "npm");
    let hash = Inputs::default()
        .tree(&layout.root.join("package-lock.json"))?
        // A checkout that shares its state with none knows whether *its* node_modules were filled.
        .text(&layout.root.to_string_lossy())
        .finish();
    if stamp.is(&hash) && layout.root.join("node_modules/.bin/supabase").exists() {
        return Ok(());
    }
    if !Cmd::new("npm").arg("--version").succeeds() {
        bail!(
            "npm is missing. What to do: install Node.js 20 or newer (Debian: `sudo apt-get install nodejs npm`)"
        );
    }
    stamp.clear()?;
    ui::step("Installing the Supabase CLI (npm)", || {
        // Not `npm ci`: it refuses a lock file that lacks the CLI's binary packages of other platforms, which npm leaves out
        // where the registry does not offer them. This keeps to the locked versions too, and writes no lock file.
        Cmd::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund"])
            .cwd(&layout.root)
            .log(layout.log("setup"))
            .hint("is the npm registry within reach? `npm install --no-save` by hand shows more")
            .run()
    })?;
    stamp.set(&hash)
}
