//! Unit tests: what needs no database.

use welltrack_stack::cmd::Cmd;

use super::check::{Context, Report};

/// The rules, and what runs and proves them.
const PACKAGES: [&str; 5] =
    ["welltrack_core", "welltrack_stack", "welltrack_demo", "welltrack_bench", "xtask"];

pub(super) fn run(ctx: &Context, report: &mut Report) {
    report.check("core and the tools", || {
        let packages = PACKAGES.iter().flat_map(|name| ["--package", name]);
        Cmd::new("cargo")
            .args(["test", "--quiet", "--no-fail-fast"])
            .args(packages)
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("unit"))
            .hint("the log names the failed tests; `cargo xtask test unit` runs them again")
            .run()
    });
    report.check("the edge functions", || {
        Cmd::new("cargo")
            .args([
                "test",
                "--quiet",
                "--no-fail-fast",
                "--manifest-path",
                "edge_functions/functions/Cargo.toml",
            ])
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("unit"))
            .hint("cargo test --manifest-path edge_functions/functions/Cargo.toml")
            .run()
    });
    report.check("the published hash vectors, in plain Node", || {
        Cmd::new("node")
            .arg("tests/js/dedupe_hash.mjs")
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("unit"))
            .hint("node tests/js/dedupe_hash.mjs")
            .run()
    });
}
