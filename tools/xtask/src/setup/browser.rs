//! A browser for the tests of what people see: Debian's headless Chromium, with a font.
//!
//! Promises: nothing is installed on the machine; what was fetched has run once before it counts; pages look the same on every
//! machine, because the one font is the prefix's own. Stops at starting it: the tests drive it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::{make_dir, remove};
use welltrack_stack::layout::Layout;
use welltrack_stack::{debs, ui};

/// The shell is the browser without its windows, a third of the packages of the whole.
const SHELL: &str = "chromium-headless-shell";
const PACKAGES: [&str; 3] = [SHELL, "chromium-common", "fonts-dejavu-core"];
/// Names a browser for machines that are no Debian's.
const OTHER: &str = "WELLTRACK_CHROMIUM";

/// A program, and what it needs around it.
pub(crate) enum Browser {
    /// Debian's, below this folder.
    Debian(PathBuf),
    /// Somebody's own.
    Other(PathBuf),
}

impl Browser {
    /// Fetches it, if that has not been done.
    pub(crate) fn ensure(layout: &Layout) -> Result<Self> {
        if let Some(program) = std::env::var_os(OTHER).filter(|program| !program.is_empty()) {
            return Ok(Self::Other(program.into()));
        }
        ensure!(
            debs::available(),
            "this machine has no apt-get to fetch `{SHELL}` with. What to do: install Chromium or Chrome, and name its program in {OTHER}"
        );
        let version = debs::offered(layout, SHELL)?;
        let root = layout.cache.join(format!("chromium-{version}"));
        if !root.is_dir() {
            ui::step(&format!("Fetching Chromium {version} (Debian packages)"), || assemble(layout, &root))?;
        }
        Ok(Self::Debian(root))
    }

    /// Lets a program that starts the browser find it, its libraries and its font.
    pub(crate) fn lend(&self, cmd: Cmd) -> Result<Cmd> {
        Ok(match self {
            Self::Debian(root) => cmd
                .env("CHROMIUM", program(root))
                // For the browser alone: what starts it has libraries of its own.
                .env("CHROMIUM_LIBRARIES", libraries(root)?)
                .env("FONTCONFIG_FILE", fonts(root)),
            Self::Other(program) => cmd.env("CHROMIUM", program),
        })
    }
}

fn program(root: &Path) -> PathBuf {
    root.join("usr/lib/chromium").join(SHELL)
}

fn fonts(root: &Path) -> PathBuf {
    root.join("fonts.conf")
}

/// Unpacks the packages beside their place and moves them there.
fn assemble(layout: &Layout, root: &Path) -> Result<()> {
    let files = debs::fetch(layout, &PACKAGES.map(str::to_owned))?;
    let beside = layout.cache.join("chromium.new");
    remove(&beside)?;
    make_dir(&beside)?;
    debs::unpack(layout, &files, &beside)?;
    let config = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n<dir>{}</dir>\n\
         <cachedir prefix=\"xdg\">fontconfig</cachedir>\n</fontconfig>\n",
        root.join("usr/share/fonts").display()
    );
    fs::write(fonts(&beside), config)?;
    // What was fetched must run here, or it must not look as if it did.
    Cmd::new(program(&beside))
        .env("LD_LIBRARY_PATH", libraries(&beside)?)
        .arg("--version")
        .log(layout.log("setup"))
        .hint(format!(
            "`ldd` of the program says which library is missing; or name another browser in {OTHER}"
        ))
        .capture()?;
    fs::rename(&beside, root).with_context(|| format!("could not move the browser to {}", root.display()))
}

/// Where the shared libraries lie that this machine may lack, with the folders some of them keep to themselves.
fn libraries(root: &Path) -> Result<std::ffi::OsString> {
    let lib = root.join("usr/lib");
    let folders = fs::read_dir(&lib).with_context(|| format!("{} is missing", lib.display()))?.flatten();
    let own = folders.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let nested = own.flat_map(|path| [path.join("pulseaudio"), path.join("nss"), path.clone()]);
    // Packages that are not merged into /usr yet put theirs below /lib.
    let old = fs::read_dir(root.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    Ok(std::env::join_paths(nested.chain(old).filter(|path| path.is_dir()))?)
}
