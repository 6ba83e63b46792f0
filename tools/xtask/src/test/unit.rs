//! Unit tests: what needs no database.

use super::{Context, Report};
use crate::cmd::Cmd;

pub(super) fn run(ctx: &Context, report: &mut Report) {
    report.check("core and xtask", || {
        Cmd::new("cargo")
            .args(["test", "--quiet", "--no-fail-fast", "--package", "welltrack_core", "--package", "xtask"])
            .cwd(&ctx.layout.root)
            .log(ctx.layout.log("unit"))
            .hint("cargo test --package welltrack_core --package xtask")
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
