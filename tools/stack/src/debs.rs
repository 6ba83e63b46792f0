//! Debian packages without root: `apt-get download` fetches them, `dpkg-deb -x` unpacks them below the private prefix.
//!
//! Promises: nothing is installed on the machine; a package that cannot be had is named, with what to do; packages that lie in
//! the cache are not fetched again. Stops at Debian's own mirrors and checks: apt verifies what it downloads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cmd::{Cmd, Interrupted, interrupted};
use crate::files::{make_dir, remove};
use crate::layout::Layout;
use crate::prefix::MAJORS;

const UPDATE_HINT: &str =
    "run `sudo apt-get update` (the package lists are missing or old), then the same command again";

/// Whether this machine has Debian's tools at all.
pub fn available() -> bool {
    ["apt-get", "apt-cache", "dpkg-deb"].iter().all(|program| Cmd::new(program).arg("--version").succeeds())
}

/// The first supported major version that the package lists have. As root, missing lists are fetched.
pub fn choose_major(layout: &Layout) -> Result<u32> {
    let first = || MAJORS.into_iter().find(|major| known(&format!("postgresql-{major}")));
    if let Some(major) = first() {
        return Ok(major);
    }
    update_lists(layout)?;
    first().context(
        "the package lists have none of postgresql-{15,16,17}. What to do: give another Postgres with \
         `cargo xtask setup --pg-config PATH`, or add the packages of apt.postgresql.org to this machine",
    )
}

/// Postgres itself with the extensions that WellTrack uses.
pub fn server_packages(major: u32) -> Vec<String> {
    let mut names = vec![
        format!("postgresql-{major}"),
        format!("postgresql-client-{major}"),
        format!("postgresql-server-dev-{major}"),
    ];
    names.extend(
        ["cron", "pgtap", "plpgsql-check"].map(|extension| format!("postgresql-{major}-{extension}")),
    );
    names
}

/// What building and testing the extension takes: libclang reads Postgres's headers, pg_prove runs pgTAP.
pub fn tool_packages() -> Result<Vec<String>> {
    let depends = Cmd::new("apt-cache").args(["depends", "libclang-dev"]).env("LC_ALL", "C").capture()?;
    let version = default_clang(&depends)
        .with_context(|| format!("the package lists have no libclang-dev. What to do: {UPDATE_HINT}"))?;
    Ok(vec![
        format!("libclang1-{version}"),
        format!("libclang-common-{version}-dev"),
        "libtap-parser-sourcehandler-pgtap-perl".to_owned(),
    ])
}

/// A compiler for WebAssembly.
pub struct Compiler {
    /// As its package counts: "1.96.0+dfsg1-1~deb12u2".
    pub version: String,
    /// What to fetch.
    pub packages: Vec<String>,
}

/// Debian's newest Rust (which it keeps for its web browsers) with what compiles for WebAssembly. As root, lists that know of none
/// or of a too old one are fetched first.
pub fn wasm_compiler(layout: &Layout, at_least: &str, advice: &str) -> Result<Compiler> {
    let offered = || offered_version("rustc-web").filter(|version| is_at_least(version, at_least));
    let version = match offered() {
        Some(version) => Some(version),
        None if layout.server_user.is_some() => {
            update_lists(layout)?;
            offered()
        }
        None => None,
    };
    let version = version.with_context(|| {
        format!(
            "the package lists have no rustc-web {at_least} or newer (Debian 12 has it in bookworm-security). What to do: {advice}; \
             or {UPDATE_HINT}"
        )
    })?;
    let closure = Cmd::new("apt-cache")
        .args(["depends", "--recurse", "--important", "rustc-web"])
        .env("LC_ALL", "C")
        .capture()?;
    let mut packages: Vec<String> =
        ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "wasi-libc"].map(str::to_owned).into();
    packages.extend(rust_libraries(&closure).map(str::to_owned));
    // The linker reads what the compiler's LLVM writes, so it is of the same release.
    let llvm = packages.iter().find_map(|name| name.strip_prefix("libllvm"));
    let llvm = llvm.with_context(|| format!("rustc-web {version} depends on no libllvm"))?;
    packages.push(format!("lld-{llvm}"));
    Ok(Compiler { version, packages })
}

/// Of the packages in `apt-cache depends --recurse`, those that are parts of the compiler itself: a machine may have others of
/// their names installed, in other versions.
fn rust_libraries(closure: &str) -> impl Iterator<Item = &str> {
    let numbered = |name: &str, prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    closure.lines().filter(move |line| {
        *line == "libstd-rust-web-dev"
            || numbered(line, "libstd-rust-web-")
            || numbered(line, "libllvm") && !line.contains(':')
    })
}

/// The version that the package lists have of a package. As root, lists that lack it are fetched.
pub fn offered(layout: &Layout, package: &str) -> Result<String> {
    if let Some(version) = offered_version(package) {
        return Ok(version);
    }
    update_lists(layout)?;
    offered_version(package).with_context(|| {
        format!(
            "Debian package `{package}` is in none of this machine's package lists. What to do: {UPDATE_HINT}"
        )
    })
}

fn offered_version(package: &str) -> Option<String> {
    let text = Cmd::new("apt-cache").args(["show", "--no-all-versions", package]).capture().ok()?;
    text.lines().find_map(|line| line.strip_prefix("Version: ")).map(str::to_owned)
}

fn is_at_least(version: &str, least: &str) -> bool {
    Cmd::new("dpkg").args(["--compare-versions", version, "ge", least]).succeeds()
}

/// Fetches the packages, and the shared libraries they need that this machine lacks, into the cache. Gives their files.
pub fn fetch(layout: &Layout, packages: &[String]) -> Result<Vec<PathBuf>> {
    if let Some(package) = packages.iter().find(|package| !known(package)) {
        ensure!(!interrupted(), Interrupted);
        bail!(
            "Debian package `{package}` is in none of this machine's package lists. What to do: {UPDATE_HINT}; on Ubuntu, \
             switch `universe` on"
        );
    }
    let wanted = with_missing_libraries(layout, packages)?;
    match download(layout, &wanted) {
        // Lists that are some days old name versions that the mirror no longer has.
        Err(_) if !interrupted() && layout.server_user.is_some() => {
            update_lists(layout)?;
            download(layout, &with_missing_libraries(layout, packages)?)
        }
        result => result,
    }
}

/// Unpacks packages below a folder.
pub fn unpack(layout: &Layout, packages: &[PathBuf], to: &Path) -> Result<()> {
    for package in packages {
        Cmd::new("dpkg-deb")
            .arg("-x")
            .arg(package)
            .arg(to)
            .log(layout.log("setup"))
            .hint(format!("remove {} and try again", package.display()))
            .run()?;
    }
    Ok(())
}

/// Fetches the package lists if this is root; an ordinary user is told to have them fetched.
fn update_lists(layout: &Layout) -> Result<()> {
    if layout.server_user.is_none() {
        bail!("Debian's package lists are missing or old. What to do: {UPDATE_HINT}");
    }
    Cmd::new("apt-get").args(["update", "-q"]).log(layout.log("setup")).hint("is the network up?").run()
}

fn known(package: &str) -> bool {
    Cmd::new("apt-cache")
        .args(["show", "--no-all-versions", package])
        .capture()
        .is_ok_and(|text| text.contains("Filename:"))
}

/// The packages, and what `apt-get install` of them would bring that a program loads at run time. The rest (locales, services,
/// whole compilers) is of no use in a private prefix.
fn with_missing_libraries(layout: &Layout, packages: &[String]) -> Result<BTreeSet<String>> {
    let plan = Cmd::new("apt-get")
        .args(["install", "--simulate", "--no-install-recommends", "--option", "Debug::NoLocking=1"])
        .args(packages)
        .env("LC_ALL", "C")
        .log(layout.log("setup"))
        .hint(UPDATE_HINT)
        .capture()?;
    Ok(packages.iter().cloned().chain(libraries_in_plan(&plan)).collect())
}

fn download(layout: &Layout, packages: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let folder = layout.cache.join("debs");
    make_dir(&folder)?;
    let apt = || {
        Cmd::new("apt-get")
            .args(["--option", "APT::Sandbox::User=root"])
            .env("LC_ALL", "C")
            .log(layout.log("setup"))
    };
    let offers = apt().args(["--print-uris", "download"]).args(packages).hint(UPDATE_HINT).capture()?;
    let mut files = Vec::new();
    let mut missing = Vec::new();
    for offer in offers.lines().filter_map(Offer::parse) {
        let file = folder.join(&offer.file);
        if !file.metadata().is_ok_and(|meta| meta.len() == offer.size) {
            missing.push(offer.package().to_owned());
        }
        files.push(file);
    }
    if files.len() != packages.len() {
        bail!("apt-get offers {} of {} packages. What to do: {UPDATE_HINT}", files.len(), packages.len());
    }
    if !missing.is_empty() {
        let beside = folder.join(format!("new{}", std::process::id()));
        make_dir(&beside)?;
        let result = apt().arg("download").args(&missing).cwd(&beside).hint(UPDATE_HINT).run();
        for entry in fs::read_dir(&beside)?.flatten() {
            if result.is_ok() {
                fs::rename(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        remove(&beside)?;
        result?;
    }
    Ok(files)
}

/// One line of `apt-get --print-uris download`: 'address' file size hash.
#[derive(Debug, PartialEq)]
struct Offer {
    file: String,
    size: u64,
}

impl Offer {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix('\'')?.split_whitespace();
        let (_address, file, size) = (words.next()?, words.next()?, words.next()?);
        (!file.contains('/')).then_some(Self { file: file.to_owned(), size: size.parse().ok()? })
    }

    fn package(&self) -> &str {
        self.file.split('_').next().unwrap_or(&self.file)
    }
}

/// The shared libraries and Perl modules among the lines `Inst NAME ...` of a simulated installation.
fn libraries_in_plan(plan: &str) -> Vec<String> {
    plan.lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .filter(|name| {
            (name.starts_with("lib") || name.starts_with("perl-modules-")) && !name.ends_with("-dev")
        })
        .map(str::to_owned)
        .collect()
}

/// 14 of "Depends: libclang-14-dev".
fn default_clang(depends: &str) -> Option<u32> {
    let name = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: libclang-"))?;
    name.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_a_file_and_its_size() {
        let line = "'https://mirror/pool/libc/libclang1-14_14.0.6-12_amd64.deb' libclang1-14_1%3a14.0.6-12_amd64.deb 6120000 SHA256:ab";
        let offer = Offer::parse(line).expect("an offer");
        assert_eq!(offer, Offer { file: "libclang1-14_1%3a14.0.6-12_amd64.deb".into(), size: 6_120_000 });
        assert_eq!(offer.package(), "libclang1-14");
    }

    #[test]
    fn other_lines_and_paths_out_of_the_folder_are_no_offers() {
        for line in [
            "",
            "Reading package lists...",
            "'https://mirror/x'",
            "'https://mirror/x' ../x 1 SHA256:ab",
            "'u' f many h",
        ] {
            assert_eq!(Offer::parse(line), None, "{line}");
        }
    }

    #[test]
    fn only_what_programs_load_is_taken_from_the_plan() {
        let plan = "Reading package lists...\nInst libgc1 (1:8.2 Debian [amd64])\nInst libobjc-12-dev (12 Debian [amd64])\n\
                    Inst clang-14 (14 Debian [amd64])\nInst libpq5 [15.18] (15.20 Debian [amd64])\nConf libpq5 (15.20 Debian)\n\
                    Inst perl-modules-5.36 (5.36 Debian [all])\nInst locales (2.36 Debian [all])\n";
        assert_eq!(libraries_in_plan(plan), ["libgc1", "libpq5", "perl-modules-5.36"]);
    }

    #[test]
    fn the_compilers_own_libraries_are_taken_whatever_is_installed() {
        let closure = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\nlibc6\nlibstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\n\
                       libstd-rust-web-1.96\n  Depends: libllvm22\nlibllvm22\nlibstd-rust-web-dev-bpf\n<libllvm>\nlibstdc++6\n";
        assert_eq!(
            rust_libraries(closure).collect::<Vec<_>>(),
            ["libstd-rust-web-dev", "libstd-rust-web-1.96", "libllvm22"]
        );
    }

    #[test]
    fn the_distributions_own_clang_is_chosen() {
        assert_eq!(default_clang("libclang-dev\n  Depends: libclang-14-dev\n"), Some(14));
        assert_eq!(default_clang("libclang-dev\n"), None);
    }
}
