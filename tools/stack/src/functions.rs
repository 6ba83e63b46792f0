//! `functions`: every edge function as a WebAssembly component, in `.welltrack/functions/<name>.wasm`, where the host looks.
//!
//! Promises: nothing is built when no source has changed; a component is replaced whole and only when it differs, so that a running
//! host reloads what is new and nothing else; a function that is gone from the sources is gone from the folder. Stops at running them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files::{files_below, make_dir, remove};
use crate::inputs::Inputs;
use crate::layout::Layout;
use crate::stamp::Stamp;
use crate::ui;
use crate::wasm::{TARGET, Toolchain};

/// `cargo xtask functions`: builds and lists them, on request with the guests of the host's tests.
pub fn run(layout: &Layout, with_guests: bool) -> Result<()> {
    let mut files = files_below(&ensure(layout)?)?;
    if with_guests {
        files.extend(files_below(&guests(layout)?)?);
    }
    let mut rows = Vec::new();
    for file in files {
        let size = format!("{} KB", fs::metadata(&file)?.len().div_ceil(1000));
        rows.push(vec![file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), size]);
    }
    println!("{}", ui::table(&rows));
    Ok(())
}

/// Builds the project's functions, if their sources have changed; gives the folder of the components.
pub fn ensure(layout: &Layout) -> Result<PathBuf> {
    let workspace = Workspace {
        manifest: layout.root.join("edge_functions/functions/Cargo.toml"),
        // They share the rules with the extension.
        shared: ["Cargo.toml", "core/Cargo.toml", "core/src"].map(|name| layout.root.join(name)).into(),
        name: "functions",
        title: "Building the edge functions",
    };
    workspace.ensure(layout)
}

/// Builds the guests for the tests of the host and for the benchmark; gives the folder of the components.
pub fn guests(layout: &Layout) -> Result<PathBuf> {
    let workspace = Workspace {
        manifest: layout.root.join("tests/guests/Cargo.toml"),
        shared: vec![layout.root.join("examples/hello")],
        name: "guests",
        title: "Building the guests of the host's tests",
    };
    workspace.ensure(layout)
}

/// A cargo workspace of guests.
struct Workspace {
    manifest: PathBuf,
    /// What else its packages are built from.
    shared: Vec<PathBuf>,
    /// Of its stamp, its log and the folder of its components.
    name: &'static str,
    title: &'static str,
}

impl Workspace {
    fn ensure(&self, layout: &Layout) -> Result<PathBuf> {
        let _lock = layout.lock("functions")?;
        let toolchain = Toolchain::ensure(layout)?;
        let stamp = Stamp::new(layout, self.name);
        let hash = self.sources()?.text(&toolchain.version(layout)?).finish();
        let folder = layout.state.join(self.name);
        let names: Vec<OsString> = self.guests()?;
        if stamp.is(&hash) && names.iter().all(|name| component(&folder, name).exists()) {
            return Ok(folder);
        }
        stamp.clear()?;
        ui::step(self.title, || {
            let target = layout.cache.join("functions-target");
            toolchain
                .cargo_build()?
                .args(["--release", "--manifest-path"])
                .arg(&self.manifest)
                .env("CARGO_TARGET_DIR", &target)
                .cwd(&layout.root)
                .log(layout.log(self.name))
                .hint("the log says what the build lacks; is crates.io within reach?")
                .run()?;
            publish(&names, &target.join(TARGET).join("release"), &folder)
        })?;
        stamp.set(&hash)?;
        Ok(folder)
    }

    fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(&self.manifest)
    }

    /// The names of its programs: every folder beside the manifest whose package has one.
    fn guests(&self) -> Result<Vec<OsString>> {
        let folder = self.folder();
        let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if has_program(&entry.path()) {
                names.push(entry.file_name());
            }
        }
        names.sort();
        Ok(names)
    }

    fn sources(&self) -> Result<Inputs> {
        let mut inputs = Inputs::default().tree(self.folder())?;
        for place in &self.shared {
            inputs = inputs.tree(place)?;
        }
        Ok(inputs)
    }
}

/// Puts what was built where the host looks for it.
fn publish(names: &[OsString], built: &Path, folder: &Path) -> Result<()> {
    make_dir(folder)?;
    for name in names {
        let new = fs::read(component(built, name))
            .with_context(|| format!("the build left no {}", component(built, name).display()))?;
        let place = component(folder, name);
        if fs::read(&place).ok().as_ref() == Some(&new) {
            continue;
        }
        let beside = place.with_extension("new");
        fs::write(&beside, &new)
            .and_then(|()| fs::rename(&beside, &place))
            .with_context(|| format!("could not write {}", place.display()))?;
    }
    for file in files_below(folder)? {
        if !names.iter().any(|name| component(folder, name) == file) {
            remove(&file)?;
        }
    }
    Ok(())
}

fn component(folder: &Path, name: &OsString) -> PathBuf {
    folder.join(name).with_extension("wasm")
}

/// Whether a folder is a package with a program: its source is there, or its manifest says where.
fn has_program(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("[[bin]]") || folder.join("src/main.rs").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_guest_when_its_package_has_a_program() {
        let scratch = std::env::temp_dir().join(format!("xtask-guests-{}", std::process::id()));
        let put = |name: &str, content: &str| {
            let file = scratch.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("mkdir");
            fs::write(file, content).expect("write");
        };
        put(
            "Cargo.toml",
            "[workspace]
members = [\"*\"]
",
        );
        put(
            "webhook/Cargo.toml",
            "[package]
name = \"webhook\"
",
        );
        put("webhook/src/main.rs", "");
        put(
            "elsewhere/Cargo.toml",
            "[package]
name = \"elsewhere\"

[[bin]]
name = \"elsewhere\"
",
        );
        put(
            "kit/Cargo.toml",
            "[package]
name = \"kit\"
",
        );
        put("kit/src/lib.rs", "");
        put("target/release/webhook.wasm", "");
        let workspace =
            Workspace { manifest: scratch.join("Cargo.toml"), shared: Vec::new(), name: "guests", title: "" };
        assert_eq!(workspace.guests().expect("listed"), ["elsewhere", "webhook"]);
        fs::remove_dir_all(&scratch).expect("clean up");
    }

    #[test]
    fn what_differs_is_replaced_what_is_gone_is_removed_and_the_rest_is_left_alone() {
        let scratch = std::env::temp_dir().join(format!("xtask-functions-{}", std::process::id()));
        let (built, folder) = (scratch.join("built"), scratch.join("functions"));
        fs::create_dir_all(&built).expect("mkdir");
        fs::create_dir_all(&folder).expect("mkdir");
        for (place, content) in [(&built, "new"), (&folder, "old")] {
            fs::write(place.join("a.wasm"), content).expect("write");
            fs::write(place.join("b.wasm"), "same").expect("write");
        }
        fs::write(folder.join("gone.wasm"), "x").expect("write");
        let before = fs::metadata(folder.join("b.wasm")).and_then(|meta| meta.modified()).expect("a time");
        publish(&["a".into(), "b".into()], &built, &folder).expect("published");
        assert_eq!(fs::read(folder.join("a.wasm")).expect("a"), b"new");
        let after = fs::metadata(folder.join("b.wasm")).and_then(|meta| meta.modified()).expect("a time");
        assert_eq!(before, after);
        assert!(!folder.join("gone.wasm").exists());
        fs::remove_dir_all(&scratch).expect("clean up");
    }
}
