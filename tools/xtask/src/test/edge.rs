//! The parts that need the edge host: its own tests, the real supabase-js through all of it, and the proof that nothing is lost.

use anyhow::{Result, ensure};
use welltrack_stack::cluster::{Durability, Role};
use welltrack_stack::cmd::Cmd;
use welltrack_stack::edge::{self, Edge, Extras, Fleeting};
use welltrack_stack::{Stack, functions, npm, port, well_known};

use super::check::{Context, Report};
use super::database::{TEMPLATE, make_template, migrated};
use super::names;

/// The packages of the host, with its stand-ins for Supabase.
const HOST: [&str; 6] =
    ["--package", "welltrack_api", "--package", "welltrack_edge", "--package", "welltrack_local"];

/// The host, its stand-ins for Supabase, and the whole URL space as an app sees it. With names, only those Rust tests.
pub(super) fn run(ctx: &Context, report: &mut Report, names: &[String]) {
    let Some(()) = report.check("the functions build", || functions::ensure(&ctx.layout).map(drop)) else {
        return;
    };
    if names.is_empty() {
        report.check("what is deployed has no part of the local stand-ins", || deployed_is_lean(ctx));
    }
    report.check(&names::title("the host and the stand-ins", names), || {
        names::ensure_found(cargo_test(ctx).args(HOST), names)?;
        let stack = migrated(ctx, "edge")?;
        make_template(&stack)?;
        tests(ctx, &stack)?
            .arg("--no-fail-fast")
            .args(HOST)
            .arg("--")
            .args(names)
            .env("WELLTRACK_TEST_GUESTS", functions::guests(&ctx.layout)?)
            .log(ctx.layout.log("edge"))
            .hint("the log names the failed tests; `cargo xtask test edge NAME` runs one of them again")
            .run()
    });
    if !names.is_empty() {
        return;
    }
    report.check("supabase-js against the running stack", || {
        let stack = migrated(ctx, "supabase-js")?;
        let secrets = [
            // 32 bytes of nothing, in base64.
            ("WELLTRACK_TOKEN_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("PROVIDER_REDIRECT_URLS", "https://app.example.org/settings"),
            ("STRAVA_CLIENT_ID", "4711"),
            ("STRAVA_CLIENT_SECRET", "for-the-test-of-strava"),
        ];
        let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let host = Fleeting(Edge::new(&ctx.layout, &stack, port::free()?));
        host.0.start(&ctx.layout, &stack, &Extras { environment, ..Extras::default() })?;
        Cmd::new("node")
            .args(["--test", "tests/js/supabase_js.test.mjs"])
            .cwd(&ctx.layout.root)
            .env("SUPABASE_URL", host.0.url())
            .env("SUPABASE_ANON_KEY", well_known::ANON_KEY)
            .log(ctx.layout.log("supabase-js"))
            .hint("the log names the failed tests; `cargo xtask test edge` runs them again")
            .run()
    });
    // Strava doesn't sign every subscription, so whether it must is a setting.
    for (check, must_be_signed) in [("the webhooks", "false"), ("the webhooks, all signed", "true")] {
        report.check(check, || {
            let stack = migrated(ctx, "webhooks")?;
            let secrets = [
                ("GARMIN_WEBHOOK_SECRET", "for-the-test-of-garmin"),
                ("STRAVA_VERIFY_TOKEN", "for-the-test-of-strava"),
                ("STRAVA_SUBSCRIPTION_ID", "4711"),
                ("STRAVA_CLIENT_SECRET", "for-the-signatures"),
                ("STRAVA_REQUIRE_SIGNATURE", must_be_signed),
            ];
            let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let host = Fleeting(Edge::new(&ctx.layout, &stack, port::free()?));
            host.0.start(&ctx.layout, &stack, &Extras { environment, ..Extras::default() })?;
            let test = Cmd::new("node")
                .args(["--test", "tests/js/webhooks.test.mjs"])
                .cwd(&ctx.layout.root)
                .env("SUPABASE_URL", host.0.url())
                .env("SUPABASE_SERVICE_ROLE_KEY", well_known::SERVICE_KEY);
            secrets
                .iter()
                .fold(test, |test, (name, value)| test.env(name, value))
                .log(ctx.layout.log("webhooks"))
                .hint("the log names the failed tests; `cargo xtask test edge` runs them again")
                .run()
        });
    }
    report.check("a function under another runtime", || {
        let folder = ctx.layout.root.join("tests/portability");
        npm::install(&ctx.layout, &folder, "portability", "Installing another runtime for components (npm)")?;
        let stack = migrated(ctx, "portability")?;
        let host = Fleeting(Edge::new(&ctx.layout, &stack, port::free()?));
        host.0.start(&ctx.layout, &stack, &Extras::default())?;
        Cmd::new("node")
            .args(["--test", "portability.test.mjs"])
            .cwd(&folder)
            .env("SUPABASE_URL", host.0.url())
            .env("SUPABASE_SERVICE_ROLE_KEY", well_known::SERVICE_KEY)
            .env("COMPONENT", functions::ensure(&ctx.layout)?.join("garmin-webhook.wasm"))
            .log(ctx.layout.log("portability"))
            .hint("the log names the failed tests; `cargo xtask test edge` runs them again")
            .run()
    });
}

/// The deployed host doesn't depend on what stands in for PostgREST and GoTrue: not as a feature that one build could switch on
/// for another, but as crates.
fn deployed_is_lean(ctx: &Context) -> Result<()> {
    let tree = Cmd::new("cargo")
        .args(["tree", "--package", "welltrack_edge", "--edges", "normal,build", "--prefix", "none"])
        .args(["--all-features", "--target", "all", "--format", "{p}"])
        .cwd(&ctx.layout.root)
        .capture()?;
    let is_local =
        |line: &&str| ["welltrack_local ", "postrust", "bcrypt "].iter().any(|name| line.starts_with(name));
    let found: Vec<&str> = tree.lines().filter(is_local).collect();
    ensure!(
        found.is_empty(),
        "welltrack_edge depends on {}\nWhat to do: put what needs it into edge_functions/local_supabase",
        found.join(", ")
    );
    Ok(())
}

/// What dies, and what must not be lost. `thorough` takes minutes, its absence is for every change.
pub(super) fn faults(ctx: &Context, report: &mut Report, thorough: bool, names: &[String]) {
    const FAULTS: [&str; 4] = ["--package", "welltrack_tests", "--test", "faults"];
    report.check(&names::title("nothing is lost, whatever dies", names), || {
        names::ensure_found(cargo_test(ctx).args(FAULTS), names)?;
        let stack = Stack::throwaway(&ctx.layout, ctx.with_extension()?, Durability::Full, "faults")?;
        make_template(&stack)?;
        let (program, components) = edge::build_local(&ctx.layout)?;
        // The short form is the same for every change, so that it is the change that makes it fail; the long one is another
        // each time.
        let mut tests = tests(ctx, &stack)?;
        if !thorough && std::env::var_os("WELLTRACK_SEED").is_none() {
            tests = tests.env("WELLTRACK_SEED", "1");
        }
        tests
            .args(FAULTS)
            .args(["--", "--nocapture"])
            .args(names)
            .env("WELLTRACK_FAULTS_PGDATA", stack.data())
            .env("WELLTRACK_LOCAL_BIN", program)
            .env("WELLTRACK_COMPONENTS", components)
            .env("WELLTRACK_FAULTS", if thorough { "long" } else { "short" })
            .log(ctx.layout.log("faults"))
            .hint("the log has the seed: WELLTRACK_SEED=... `cargo xtask test faults` repeats the run")
            .run()
    });
}

/// `cargo test` of optimised code: what is tested is what is run, and one build serves both.
fn cargo_test(ctx: &Context) -> Cmd {
    Cmd::new("cargo").args(["test", "--quiet", "--profile", "host"]).cwd(&ctx.layout.root)
}

/// The same, with the database of the tests.
fn tests(ctx: &Context, stack: &Stack) -> Result<Cmd> {
    Ok(cargo_test(ctx)
        .env("WELLTRACK_TEST_ADMIN_URL", stack.url(Role::SupabaseAdmin))
        .env("WELLTRACK_TEST_TEMPLATE", TEMPLATE)
        .env("WELLTRACK_TEST_PG_BIN", &ctx.prefix.bin))
}
