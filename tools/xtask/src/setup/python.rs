//! Python with the packages of the tests' oracle, in an environment of its own.
//!
//! Promises: touches no Python of the machine's or the person's; is made anew when `requirements.txt` changes or its
//! interpreter is gone. Stops at Python itself: that is the machine's.

use std::path::PathBuf;

use anyhow::{Result, bail};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::remove;
use welltrack_stack::inputs::Inputs;
use welltrack_stack::layout::Layout;
use welltrack_stack::stamp::Stamp;
use welltrack_stack::ui;

/// Succeeds where environments can be made, with a Python that the pinned numpy runs on.
const PROBE: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";

/// Installs what the oracle needs, if that has not been done; gives the interpreter to run it with.
pub(crate) fn ensure(layout: &Layout) -> Result<PathBuf> {
    let requirements = layout.root.join("tests/oracle/requirements.txt");
    let venv = layout.state.join("python");
    let python = venv.join("bin/python");
    let stamp = Stamp::new(layout, "python");
    let hash = Inputs::default().tree(&requirements)?.text(&venv.to_string_lossy()).finish();
    if stamp.is(&hash) && Cmd::new(&python).arg("--version").succeeds() {
        return Ok(python);
    }
    if !Cmd::new("python3").args(["-c", PROBE]).succeeds() {
        bail!(
            "Python 3.11 or newer with venv is missing. What to do: install it (Debian: `sudo apt-get install python3 \
             python3-venv`)"
        );
    }
    stamp.clear()?;
    remove(&venv)?;
    ui::step("Installing numpy for the oracle (pip)", || {
        Cmd::new("python3").args(["-m", "venv"]).arg(&venv).log(layout.log("setup")).run()?;
        Cmd::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements)
            .env("PIP_CACHE_DIR", layout.cache.join("pip"))
            .log(layout.log("setup"))
            .hint("is the Python package index within reach?")
            .run()
    })?;
    stamp.set(&hash)?;
    Ok(python)
}
