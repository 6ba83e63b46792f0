//! `test`: everything that proves WellTrack, part by part, on databases of their own.
//!
//! Promises: a failing check does not hide the others; each says what was tried and where its log is; nothing that it starts
//! outlives it; the last line of the output is `N passed, N failed`. Stops at what a check means: that is in the parts.

mod database;
mod edge;
mod extension;
mod lint;
mod readme;
mod report;
mod unit;
mod upgrade;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use console::style;
use welltrack_stack::cmd::{Interrupted, interrupted};
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::ui;

use crate::setup::{self, pgrx};

/// Set for commands that the README's test runs, so that a test inside a test is refused instead of waiting for itself.
pub(crate) const WITHIN: &str = "WELLTRACK_WITHIN_TEST";

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

/// What every part works with.
struct Context {
    layout: Layout,
    prefix: Prefix,
}

impl Context {
    /// The private Postgres with the extension of these very sources in it.
    fn with_extension(&self) -> Result<&Prefix> {
        let _lock = self.layout.lock("setup")?;
        pgrx::ensure_extension(&self.layout, &self.prefix)?;
        Ok(&self.prefix)
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
        ui::heading(&part.name());
        report.part = part.name();
        part.run(&ctx, &mut report, !parts.is_empty());
    }
    report.finish(start.elapsed())
}

/// The checks so far.
#[derive(Default)]
struct Report {
    part: String,
    checks: Vec<Check>,
}

struct Check {
    part: String,
    name: String,
    passed: bool,
    time: Duration,
}

impl Report {
    /// Does a check and notes how it went; gives what it gave, for checks that build on it.
    fn check<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        if interrupted() {
            return None;
        }
        let start = Instant::now();
        let result = ui::step(name, work);
        self.checks.push(Check {
            part: self.part.clone(),
            name: name.to_owned(),
            passed: result.is_ok(),
            time: start.elapsed(),
        });
        result
            .inspect_err(|error| {
                if !interrupted() {
                    ui::failure(error)
                }
            })
            .ok()
    }

    /// Prints the summary, whose last line counts; gives whether everything passed.
    fn finish(self, total: Duration) -> Result<bool> {
        if interrupted() {
            bail!(Interrupted);
        }
        let rows: Vec<Vec<String>> = self.checks.iter().map(Check::row).collect();
        let failed = self.checks.iter().filter(|check| !check.passed).count();
        ui::heading(&format!("summary, {} in all", ui::took(total)));
        println!("{}", ui::table(&rows));
        if failed > 0 {
            println!("What failed says above what was tried, where its log is, and what to do.\n");
        }
        println!("{} passed, {failed} failed", self.checks.len() - failed);
        Ok(failed == 0)
    }
}

impl Check {
    fn row(&self) -> Vec<String> {
        let result = if self.passed { style("passed").green() } else { style("FAILED").red().bold() };
        vec![self.part.clone(), self.name.clone(), result.to_string(), ui::took(self.time)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_makes_the_run_fail_and_the_others_still_count() {
        let mut report = Report::default();
        assert_eq!(report.check("good", || Ok(1)), Some(1));
        assert_eq!(report.check("bad", || -> Result<()> { bail!("no") }), None);
        report.check("after", || Ok(()));
        assert_eq!(report.checks.iter().map(|check| check.passed).collect::<Vec<_>>(), [true, false, true]);
        assert!(!report.finish(Duration::ZERO).expect("nobody interrupts"));
    }
}
