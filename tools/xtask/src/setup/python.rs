//! Python packages that the tests use, in environments of their own below the state.
//!
//! No Python of the machine's or the person's is touched. An environment is made anew when its list of packages changes or its
//! interpreter is gone. Python itself is the machine's.

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

/// An environment and what is installed in it.
pub(crate) struct Environment {
    /// The folder in the state, and the stamp.
    name: &'static str,
    /// The list of packages, from the checkout.
    requirements: &'static str,
    title: &'static str,
}

/// For the oracle of the black-box tests.
pub(crate) const ORACLE: Environment = Environment {
    name: "python",
    requirements: "tests/oracle/requirements.txt",
    title: "Installing numpy for the oracle (pip)",
};

/// For the lints. Both programs come as finished packages, so nothing is compiled.
pub(crate) const LINT: Environment = Environment {
    name: "python-lint",
    requirements: "tools/xtask/lint-requirements.txt",
    title: "Installing typos and SQLFluff (pip)",
};

/// Makes an environment, if that has not been done; gives the folder of its programs, of which one is `python`.
pub(crate) fn ensure(layout: &Layout, environment: &Environment) -> Result<PathBuf> {
    let requirements = layout.root.join(environment.requirements);
    let venv = layout.state.join(environment.name);
    let bin = venv.join("bin");
    let python = bin.join("python");
    let stamp = Stamp::new(layout, environment.name);
    let hash = Inputs::default().tree(&requirements)?.text(&venv.to_string_lossy()).finish();
    if stamp.is(&hash) && Cmd::new(&python).arg("--version").succeeds() {
        return Ok(bin);
    }
    if !Cmd::new("python3").args(["-c", PROBE]).succeeds() {
        bail!(
            "Python 3.11 or newer with venv is missing. What to do: install it (Debian: `sudo apt-get install python3 \
             python3-venv`)"
        );
    }
    stamp.clear()?;
    remove(&venv)?;
    ui::step(environment.title, || {
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
    Ok(bin)
}
