//! The private Postgres: one folder that holds the programs, the headers and the extensions, and can be moved as a whole.
//!
//! Promises: a prefix is there whole or not at all (assembled beside its place, then renamed); the Postgres it was made from is only
//! read. Stops at running a server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cmd::Cmd;
use crate::files::{make_dir, remove};

/// The major versions that the extension has features for, the preferred one first.
pub const MAJORS: [u32; 3] = [15, 16, 17];

/// Extensions that a Supabase image lets `postgres` create. Their control files here say so too.
const TRUSTED: [&str; 3] = ["pg_cron", "pgtap", "plpgsql_check"];

/// What is copied of another Postgres's programs; its folder may be /usr/bin.
const PROGRAMS: [&str; 12] = [
    "clusterdb",
    "createdb",
    "dropdb",
    "initdb",
    "pg_config",
    "pg_controldata",
    "pg_ctl",
    "pg_dump",
    "pg_isready",
    "pg_resetwal",
    "postgres",
    "psql",
];

/// A Postgres below a folder of ours.
#[derive(Clone, Debug)]
pub struct Prefix {
    /// The folder that may be moved.
    pub root: PathBuf,
    /// What tells of it, and what pgrx builds by.
    pub pg_config: PathBuf,
    /// The folder of its programs.
    pub bin: PathBuf,
    /// `share/postgresql/15` or its like: `extension/` is in it.
    pub share: PathBuf,
    /// The folder of loadable modules.
    pub lib: PathBuf,
    /// 15, 16 or 17.
    pub major: u32,
    /// As Postgres prints it: "PostgreSQL 15.20 (Debian 15.20-0+deb12u1)".
    pub version: String,
    /// Where shared libraries lie that the machine itself may lack.
    libraries: Vec<PathBuf>,
    /// The folder of libclang, if it is ours and not the machine's (bindgen reads Postgres's headers with it).
    pub libclang: Option<PathBuf>,
}

impl Prefix {
    /// Opens a prefix that was assembled before.
    pub fn open(root: &Path) -> Result<Self> {
        let pg_config = root
            .join("pg_config")
            .canonicalize()
            .with_context(|| format!("{} holds no Postgres", root.display()))?;
        let asked = PgConfig::ask(&pg_config)?;
        ensure!(
            asked.share.starts_with(root) && asked.pkglib.starts_with(root),
            "this Postgres cannot be moved: its pg_config says {} after it was copied to {}",
            asked.share.display(),
            root.display()
        );
        let mut libraries = entries(&root.join("usr/lib"), |name| name.ends_with("-linux-gnu"));
        let libclang = clang_folder(root);
        libraries.extend(libclang.clone());
        Self::new(root, pg_config, asked, libraries, libclang)
    }

    /// Another Postgres where it is, to build for and not to run; what the build needs beside it is taken from `tools`.
    pub fn of_machine(pg_config: &Path, tools: &Self) -> Result<Self> {
        let pg_config =
            pg_config.canonicalize().with_context(|| format!("there is no {}", pg_config.display()))?;
        let asked = PgConfig::ask(&pg_config)?;
        Self::new(Path::new("/"), pg_config, asked, tools.libraries.clone(), tools.libclang.clone())
    }

    fn new(
        root: &Path,
        pg_config: PathBuf,
        asked: PgConfig,
        libraries: Vec<PathBuf>,
        libclang: Option<PathBuf>,
    ) -> Result<Self> {
        let major = supported_major(&asked.version)?;
        Ok(Self {
            root: root.to_path_buf(),
            pg_config,
            bin: asked.bin,
            share: asked.share,
            lib: asked.pkglib,
            major,
            version: asked.version,
            libraries,
            libclang,
        })
    }

    /// The same Postgres, copied to another place; libraries that are not its own stay where they are.
    pub fn copy_to(&self, place: &Path) -> Result<Self> {
        let copy = assemble(place, |folder| copy_postgres(&self.pg_config, folder))?;
        Ok(copy.with_libraries_of(self))
    }

    /// Lets a copy use the libraries of the prefix it was copied from.
    pub fn with_libraries_of(self, other: &Self) -> Self {
        Self { libraries: other.libraries.clone(), libclang: other.libclang.clone(), ..self }
    }

    /// A program of this Postgres, able to find its libraries.
    pub fn cmd(&self, program: &str) -> Cmd {
        self.with_libraries(Cmd::new(self.bin.join(program)))
    }

    /// Lets any program find the prefix's libraries; no change where the machine has them all.
    pub fn with_libraries(&self, cmd: Cmd) -> Cmd {
        match std::env::join_paths(&self.libraries) {
            Ok(paths) if !paths.is_empty() => cmd.env("LD_LIBRARY_PATH", paths),
            _ => cmd,
        }
    }

    /// pgTAP's runner: the prefix's own, or the machine's where setup could not fetch it.
    pub fn pg_prove(&self) -> Cmd {
        let own = self.root.join("usr/bin/pg_prove");
        if !own.exists() {
            return Cmd::new("pg_prove");
        }
        let mut modules = vec![self.root.join("usr/share/perl5")];
        modules.extend(entries(&self.root.join("usr/share/perl"), |name| name.starts_with('5')));
        let modules = std::env::join_paths(modules).unwrap_or_default();
        self.with_libraries(Cmd::new("perl").arg(own)).env("PERL5LIB", modules)
    }

    /// The feature of the extension crate for this Postgres.
    pub fn feature(&self) -> String {
        format!("pg{}", self.major)
    }

    /// Lets a role that is not superuser create the extensions, as supautils does on Supabase.
    fn trust_extensions(&self) -> Result<()> {
        for file in TRUSTED.map(|name| control_file(&self.share, name)) {
            if let Ok(text) = fs::read_to_string(&file) {
                fs::write(&file, trusted(&text))?;
            }
        }
        Ok(())
    }
}

/// The same control file, with `superuser` and `trusted` set.
fn trusted(control: &str) -> String {
    let setting = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let mut text: String = control
        .lines()
        .filter(|line| !["superuser", "trusted"].contains(&setting(line).as_str()))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.push_str("superuser = true\ntrusted = true\n");
    text
}

/// Finishes a folder that `fill` has put a Postgres into and moves it to its place, instead of what was there.
pub fn assemble(place: &Path, fill: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<Prefix> {
    let beside = place.with_extension("new");
    remove(&beside)?;
    make_dir(&beside)?;
    let pg_config = fill(&beside)?;
    let relative = pg_config.strip_prefix(&beside).context("pg_config lies in the prefix")?;
    symlink(relative, beside.join("pg_config"))?;
    Prefix::open(&beside)?.trust_extensions()?;
    remove(place)?;
    fs::rename(&beside, place)?;
    Prefix::open(place)
}

/// An error that says what a Postgres, given by its pg_config, lacks for being the private one's origin.
pub fn examine(pg_config: &Path) -> Result<()> {
    let from = PgConfig::ask(pg_config)?;
    let major = supported_major(&from.version)?;
    ensure!(
        from.include_server.join("postgres.h").is_file(),
        "{} lacks postgres.h. What to do: install this Postgres's development files (Debian: postgresql-server-dev-{major})",
        from.include_server.display()
    );
    for program in ["postgres", "initdb", "pg_ctl", "psql", "pg_dump"] {
        ensure!(
            from.bin.join(program).exists(),
            "{} has no `{program}`: it is no whole Postgres",
            from.bin.display()
        );
    }
    let missing = missing_extensions(&from.share);
    ensure!(
        missing.is_empty(),
        "this Postgres has no {}. What to do: install what is missing (Debian: {}), then run the same command again",
        missing.join(", "),
        missing.iter().map(|name| debian_package(name, major)).collect::<Vec<_>>().join(" "),
    );
    Ok(())
}

/// Copies another Postgres, given by its pg_config, below `to`, and gives the copy's pg_config. A Postgres finds its other
/// folders by the way from its programs to them, so what counts is that they keep their places relative to each other.
pub fn copy_postgres(pg_config: &Path, to: &Path) -> Result<PathBuf> {
    let from = PgConfig::ask(pg_config)?;
    let folders = [&from.share, &from.pkglib, &from.include_server];
    let top = folders.iter().fold(from.bin.clone(), |top, folder| common_ancestor(&top, folder));
    let place = |path: &Path| {
        path.strip_prefix(&top).map(|rest| to.join(rest)).context("the folders share an ancestor")
    };
    for folder in folders {
        let target = place(folder)?;
        make_dir(&target)?;
        Cmd::new("cp").arg("-a").arg(folder.join(".")).arg(&target).capture()?;
    }
    let bin = place(&from.bin)?;
    make_dir(&bin)?;
    for program in PROGRAMS.map(|name| from.bin.join(name)).iter().filter(|path| path.exists()) {
        Cmd::new("cp").arg("-aL").arg(program).arg(&bin).capture()?;
    }
    Ok(bin.join("pg_config"))
}

/// The extensions that WellTrack needs beside its own and that a Postgres lacks.
fn missing_extensions(share: &Path) -> Vec<&'static str> {
    TRUSTED.into_iter().filter(|name| !control_file(share, name).exists()).collect()
}

fn control_file(share: &Path, extension: &str) -> PathBuf {
    share.join("extension").join(format!("{extension}.control"))
}

fn debian_package(extension: &str, major: u32) -> String {
    format!(
        "postgresql-{major}-{}",
        if extension == "pg_cron" { "cron".to_owned() } else { extension.replace('_', "-") }
    )
}

/// What pg_config tells of a Postgres.
struct PgConfig {
    bin: PathBuf,
    share: PathBuf,
    pkglib: PathBuf,
    include_server: PathBuf,
    version: String,
}

impl PgConfig {
    fn ask(pg_config: &Path) -> Result<Self> {
        let asked = ["--bindir", "--sharedir", "--pkglibdir", "--includedir-server", "--version"];
        let answer = Cmd::new(pg_config)
            .args(asked)
            .capture()
            .with_context(|| format!("{} gives no answer", pg_config.display()))?;
        match answer.lines().collect::<Vec<_>>()[..] {
            [bin, share, pkglib, include_server, version] => Ok(Self {
                bin: bin.into(),
                share: share.into(),
                pkglib: pkglib.into(),
                include_server: include_server.into(),
                version: version.into(),
            }),
            _ => bail!(
                "{} is no pg_config: asked for its folders it says `{}`",
                pg_config.display(),
                answer.trim()
            ),
        }
    }
}

fn supported_major(version: &str) -> Result<u32> {
    let major = major_of(version)?;
    ensure!(MAJORS.contains(&major), "this is {version}; WellTrack is built for Postgres {MAJORS:?}");
    Ok(major)
}

/// 15 of "PostgreSQL 15.20 (Debian 15.20-0+deb12u1)".
fn major_of(version: &str) -> Result<u32> {
    let number: String =
        version.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    number.parse().with_context(|| format!("no version number in `{version}`"))
}

fn common_ancestor(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

fn clang_folder(root: &Path) -> Option<PathBuf> {
    entries(&root.join("usr/lib"), |name| name.starts_with("llvm-"))
        .into_iter()
        .map(|llvm| llvm.join("lib"))
        .find(|lib| !entries(lib, |name| name.starts_with("libclang")).is_empty())
}

/// What lies in a folder under a fitting name; nothing if the folder is not there.
fn entries(folder: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = listing
        .flatten()
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_becomes_trusted_once() {
        let once = trusted("comment = 'x'\nsuperuser = false\nrelocatable = false");
        assert_eq!(once, "comment = 'x'\nrelocatable = false\nsuperuser = true\ntrusted = true\n");
        assert_eq!(trusted(&once), once);
    }

    #[test]
    fn the_major_version_is_read_from_every_vendors_words() {
        for (text, major) in [
            ("PostgreSQL 15.20 (Debian 15.20-0+deb12u1)", 15),
            ("PostgreSQL 17rc1", 17),
            ("PostgreSQL 16beta2", 16),
        ] {
            assert_eq!(major_of(text).expect("a number"), major);
        }
        assert!(major_of("PostgreSQL").is_err());
    }

    #[test]
    fn a_missing_extension_is_told_by_its_debian_package() {
        assert_eq!(debian_package("pg_cron", 16), "postgresql-16-cron");
        assert_eq!(debian_package("plpgsql_check", 15), "postgresql-15-plpgsql-check");
        assert_eq!(missing_extensions(Path::new("/nowhere")), TRUSTED);
    }

    #[test]
    fn the_folders_of_a_postgres_meet_at_their_common_ancestor() {
        let top =
            common_ancestor(Path::new("/usr/lib/postgresql/15/bin"), Path::new("/usr/share/postgresql/15"));
        assert_eq!(top, Path::new("/usr"));
        let top = common_ancestor(Path::new("/opt/pg/bin"), Path::new("/opt/pg/lib/postgresql"));
        assert_eq!(top, Path::new("/opt/pg"));
    }
}
