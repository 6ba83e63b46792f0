//! What every part of the tests works with, and the checks that it reports.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use console::style;
use welltrack_stack::cmd::{Interrupted, interrupted};
use welltrack_stack::layout::Layout;
use welltrack_stack::prefix::Prefix;
use welltrack_stack::ui;

use crate::setup::pgrx;

/// Set for commands that the README's test runs, so that a test inside a test is refused instead of waiting for itself.
pub(super) const WITHIN: &str = "WELLTRACK_WITHIN_TEST";

/// What every part works with.
pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) prefix: Prefix,
}

impl Context {
    /// The private Postgres with the extension of these very sources in it.
    pub(super) fn with_extension(&self) -> Result<&Prefix> {
        let _lock = self.layout.lock("setup")?;
        pgrx::ensure_extension(&self.layout, &self.prefix)?;
        Ok(&self.prefix)
    }
}

/// The checks so far.
#[derive(Default)]
pub(super) struct Report {
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
    /// The checks that follow belong to that part.
    pub(super) fn begin(&mut self, part: String) {
        ui::heading(&part);
        self.part = part;
    }

    /// Does a check and notes how it went; gives what it gave, for checks that build on it.
    pub(super) fn check<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
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
    pub(super) fn finish(self, total: Duration) -> Result<bool> {
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
