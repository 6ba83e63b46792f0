//! `test`: everything that proves WellTrack, part by part, on databases of their own.
//!
//! Promises: a failing check does not hide the others; each says what was tried and where its log is; nothing that it starts
//! outlives it; the last line of the output is `N passed, N failed`. Stops at what a check means: that is in the parts.

mod check;
mod database;
mod edge;
mod extension;
mod lint;
mod lint_manifests;
mod lint_sql;
mod names;
mod part;
mod readme;
mod report;
mod unit;
mod upgrade;

use std::time::Instant;

use anyhow::{Result, bail};
use welltrack_stack::layout::Layout;

use crate::setup;
use check::{Context, Report, WITHIN};
use part::{Part, Selection};
pub(crate) use part::{Word, WordParser};

/// `cargo xtask test [part...] [name...]`; no part means all. Gives whether everything passed.
pub(crate) fn run(layout: Layout, words: &[Word]) -> Result<bool> {
    if std::env::var_os(WITHIN).is_some() {
        bail!("this is run by `cargo xtask test` itself");
    }
    let selection = Selection::of(words)?;
    let _lock = layout.lock("test")?;
    let start = Instant::now();
    let prefix = setup::tools(&layout)?;
    let ctx = Context { layout, prefix };
    let mut report = Report::default();
    for part in selection.parts() {
        report.begin(part.name());
        run_part(part, &ctx, &mut report, &selection);
    }
    report.finish(start.elapsed())
}

fn run_part(part: Part, ctx: &Context, report: &mut Report, selection: &Selection) {
    let names = &selection.names;
    match part {
        Part::Lint => lint::run(ctx, report),
        Part::Unit => unit::run(ctx, report),
        Part::Extension => extension::run(ctx, report),
        Part::Schema => {
            database::schema(ctx, report);
            upgrade::run(ctx, report);
        }
        Part::Pgtap => database::pgtap(ctx, report),
        Part::Flows => database::flows(ctx, report, names),
        Part::Edge => edge::run(ctx, report, names),
        Part::Report => report::run(ctx, report),
        Part::Faults => edge::faults(ctx, report, selection.is_named(), names),
        Part::Readme => readme::run(ctx, report),
    }
}
