//! `test`: everything that proves WellTrack, part by part, on databases of their own.
//!
//! Promises: a failing check does not hide the others; each says what was tried and where its log is; nothing that it starts
//! outlives it; the last line of the output is `N passed, N failed`. Stops at what a check means: that is in the parts.

mod check;
mod database;
mod edge;
mod extension;
mod lint;
mod lint_sql;
mod readme;
mod report;
mod unit;
mod upgrade;

use std::time::Instant;

use anyhow::{Result, bail};
use welltrack_stack::layout::Layout;

use crate::setup;
use check::{Context, Report, WITHIN};

/// The parts, in the order they run: what fails soonest and costs least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Format, clippy, and rules that grep can check
    Lint,
    /// Tests of core and of the tools themselves, and the published hash vectors in plain Node
    Unit,
    /// The extension inside Postgres, its package, its upgrade from the first version
    Extension,
    /// Migrations with the real Supabase CLI: push, lint, advisors, types, reset, drift, upgrade
    Schema,
    /// pgTAP tests in supabase/tests
    Pgtap,
    /// Black-box tests in tests/, a database for each
    Flows,
    /// The edge host and its gateway, and the real supabase-js through all of it
    Edge,
    /// The report in headless Chromium: every mark is there, and nothing overflows a phone
    Report,
    /// Pushes while hosts and database die: nothing is lost (named by itself: the thorough form, minutes)
    Faults,
    /// Every command that the README shows
    Readme,
}

impl Part {
    const ALL: [Self; 10] = [
        Self::Lint,
        Self::Unit,
        Self::Extension,
        Self::Schema,
        Self::Pgtap,
        Self::Flows,
        Self::Edge,
        Self::Report,
        Self::Faults,
        Self::Readme,
    ];

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn run(self, ctx: &Context, report: &mut Report, named: bool) {
        match self {
            Self::Lint => lint::run(ctx, report),
            Self::Unit => unit::run(ctx, report),
            Self::Extension => extension::run(ctx, report),
            Self::Schema => {
                database::schema(ctx, report);
                upgrade::run(ctx, report);
            }
            Self::Pgtap => database::pgtap(ctx, report),
            Self::Flows => database::flows(ctx, report),
            Self::Edge => edge::run(ctx, report),
            Self::Report => report::run(ctx, report),
            Self::Faults => edge::faults(ctx, report, named),
            Self::Readme => readme::run(ctx, report),
        }
    }
}

/// `cargo xtask test [part...]`; no part means all. Gives whether everything passed.
pub(crate) fn run(layout: Layout, parts: &[Part]) -> Result<bool> {
    if std::env::var_os(WITHIN).is_some() {
        bail!("this is run by `cargo xtask test` itself");
    }
    let _lock = layout.lock("test")?;
    let start = Instant::now();
    let prefix = setup::tools(&layout)?;
    let ctx = Context { layout, prefix };
    let mut report = Report::default();
    for part in Part::ALL.into_iter().filter(|part| parts.is_empty() || parts.contains(part)) {
        report.begin(part.name());
        part.run(&ctx, &mut report, !parts.is_empty());
    }
    report.finish(start.elapsed())
}
