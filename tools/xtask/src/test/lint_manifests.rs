//! The rule for manifests: a version of a crate stands in the workspace's own `Cargo.toml`, so each member inherits all of its
//! dependencies.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use welltrack_stack::cmd::Cmd;

/// An error that names every dependency that is not inherited, in the members of the workspaces with these manifests.
pub(super) fn check(root: &Path, workspaces: &[&str]) -> Result<()> {
    let mut found = Vec::new();
    for workspace in workspaces {
        let metadata = Cmd::new("cargo")
            .args([
                "metadata",
                "--no-deps",
                "--offline",
                "--format-version",
                "1",
                "--manifest-path",
                workspace,
            ])
            .cwd(root)
            .capture()?;
        let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata gives no JSON")?;
        for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
            let file = package["manifest_path"].as_str().context("a package without a manifest")?;
            let text = fs::read_to_string(file).with_context(|| format!("could not read {file}"))?;
            let name = Path::new(file).strip_prefix(root).unwrap_or(Path::new(file)).display();
            found.extend(own_dependencies(&text).map(|(line, key)| format!("{name}:{line}: {key}")));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "dependencies that a member does not inherit:\n  {}\nWhat to do: put the version into [workspace.dependencies] of the \
         workspace's Cargo.toml, and write `NAME.workspace = true`",
        found.join("\n  ")
    )
}

/// Line and name of each dependency of a member's manifest that is not the workspace's.
fn own_dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_dependencies = false;
    manifest.lines().enumerate().filter_map(move |(index, line)| {
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.trim_end().ends_with("dependencies]");
            // `[dependencies.NAME]` would hide from the rule below.
            return section.contains("dependencies.").then_some((index + 1, line));
        }
        let (key, value) = line.split_once('=')?;
        // The lines between the brackets of a list do not begin with a name.
        let begins = key.starts_with(|c: char| c.is_ascii_alphanumeric());
        let inherited = key.trim_end().ends_with(".workspace") || value.contains("workspace = true");
        (in_dependencies && begins && !inherited).then(|| (index + 1, key.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_versions_are_found_and_inherited_dependencies_are_not() {
        let manifest = r#"
[package]
version = "0.3.0"

[dependencies]
anyhow.workspace = true
clap = { workspace = true, features = ["env"] }
# serde = "1"
toml = "1"
wasmtime = { version = "=48", features = [
  "async",
] }

[target.'cfg(unix)'.dependencies]
nix = { path = "../nix" }

[dev-dependencies.tempfile]
version = "3"

[features]
default = []
"#;
        assert_eq!(
            own_dependencies(manifest).collect::<Vec<_>>(),
            [(9, "toml"), (10, "wasmtime"), (15, "nix"), (17, "[dev-dependencies.tempfile]")]
        );
    }
}
