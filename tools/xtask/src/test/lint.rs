//! Lint: format, clippy without a warning, licences, spelling, the form of the SQL, and rules that a search of the sources can
//! check.

use std::fs;

use anyhow::{Result, bail};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::files_below;

use super::check::{Context, Report};
use crate::setup::{cargo_programs, pgrx, python};

/// Workspaces of their own, because they are built for another target. Their sources are plain Rust to any.
const GUESTS: [&str; 2] = ["edge_functions/functions/Cargo.toml", "tests/guests/Cargo.toml"];

/// All of them.
const WORKSPACES: [&str; 3] = ["Cargo.toml", GUESTS[0], GUESTS[1]];

pub(super) fn run(ctx: &Context, report: &mut Report) {
    let cargo = |name: &str| Cmd::new("cargo").arg(name).cwd(&ctx.layout.root).log(ctx.layout.log("lint"));
    report.check("rustfmt", || {
        cargo("fmt").args(["--all", "--check"]).hint("cargo fmt --all").run()?;
        GUESTS.iter().try_for_each(|manifest| {
            cargo("fmt")
                .args(["--all", "--check", "--manifest-path", manifest])
                .hint("cargo fmt --all --manifest-path as tried")
                .run()
        })
    });
    report.check("clippy", || {
        cargo("clippy")
            .args(["--all-targets", "--quiet", "--", "--deny", "warnings"])
            .hint("mend what clippy names")
            .run()
    });
    report.check("clippy of the extension", || {
        let prefix = super::extension::test_prefix(ctx)?;
        pgrx::build_env(&ctx.layout, &prefix, super::extension::HOME)?
            .args([
                "clippy",
                "--quiet",
                "--package",
                "pg_welltrack",
                "--all-targets",
                "--no-default-features",
                "--features",
            ])
            .arg(format!("{} pg_test", prefix.feature()))
            .args(["--", "--deny", "warnings"])
            .log(ctx.layout.log("lint"))
            .hint("mend what clippy names")
            .run()
    });
    report.check("clippy of the edge functions", || {
        GUESTS.iter().try_for_each(|manifest| {
            cargo("clippy")
                .args(["--all-targets", "--quiet", "--manifest-path", manifest, "--", "--deny", "warnings"])
                .hint("mend what clippy names")
                .run()
        })
    });
    report.check("nothing in the extension is SECURITY DEFINER", || no_security_definer(ctx));
    report.check("versions stand in the workspaces' manifests", || {
        super::lint_manifests::check(&ctx.layout.root, &WORKSPACES)
    });
    report.check("sql/ keeps its form", || super::lint_sql::check(ctx));
    if let Some(deny) = report.check("cargo-deny is there", || cargo_programs::deny(&ctx.layout)) {
        report.check("licences and sources of the crates", || {
            WORKSPACES.iter().try_for_each(|manifest| {
                // Crates for other systems count as well, and a build fetches only its own system's.
                cargo("fetch")
                    .args(["--quiet", "--locked", "--manifest-path", manifest])
                    .hint("is crates.io within reach?")
                    .run()?;
                Cmd::new(&deny)
                    .args(["deny", "--frozen", "--manifest-path", manifest, "--config", "deny.toml"])
                    .args(["check", "licenses", "bans", "sources"])
                    .cwd(&ctx.layout.root)
                    .log(ctx.layout.log("lint"))
                    .hint("the log names the crate and who needs it; deny.toml says what is allowed")
                    .run()
            })
        });
    }
    let Some(programs) =
        report.check("typos and SQLFluff are there", || python::ensure(&ctx.layout, &python::LINT))
    else {
        return;
    };
    report.check("typos", || {
        Cmd::new(programs.join("typos"))
            .args(["--format", "brief"])
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("lint"))
            .hint("correct the word, or add it to _typos.toml if it is right")
            .run()
    });
    report.check("SQLFluff", || {
        Cmd::new(programs.join("sqlfluff"))
            .args(["lint", "--processes", "0", "--disable-progress-bar", "sql"])
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("lint"))
            .hint("the log has file, line and rule; .sqlfluff says which rules hold")
            .run()
    });
}

/// A function of a trusted extension that runs with its owner's rights runs as the superuser, for everyone.
fn no_security_definer(ctx: &Context) -> Result<()> {
    let mut found = Vec::new();
    let folder = ctx.layout.root.join("pg_welltrack");
    for file in [files_below(&folder.join("src"))?, files_below(&folder.join("sql"))?].concat() {
        let text = fs::read_to_string(&file)?;
        found.extend(definer_lines(&text).map(|line| format!("{}:{line}", file.display())));
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "SECURITY DEFINER in the extension:\n  {}\nWhat to do: put what needs it into sql/, with a pinned search_path",
        found.join("\n  ")
    )
}

/// The numbers of the lines that ask for it; comments may speak of it.
fn definer_lines(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = line.trim_start();
        let comment = ["//", "--", "#!", "*"].iter().any(|mark| code.starts_with(mark));
        let plain = code.to_lowercase().replace('_', " ");
        (!comment && plain.contains("security definer")).then_some(index + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_and_comments_are_not() {
        let text = "#[pg_extern(security_definer)]\nSECURITY  x\n  language c Security Definer;\n// security definer\n-- SECURITY DEFINER\n";
        assert_eq!(definer_lines(text).collect::<Vec<_>>(), [1, 3]);
    }
}
