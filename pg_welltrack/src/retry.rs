//! `retry_delay`, `max_attempts`: when a failed event of the webhook queue is tried again, and how often.

use pgrx::datum::Interval;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use welltrack_core::retry::{STANDARD, Schedule};

use crate::provider::provider;

/// How long an event waits after so many failed attempts by the schedule of providers that have none of their own; NULL
/// when there is to be no other attempt.
///
/// `failed_attempts`: failures so far; none or less means no wait.
///
/// Source: event flows, flow 3, "Retry Strategy".
#[pg_extern(immutable, strict, parallel_safe)]
fn retry_delay(failed_attempts: i32) -> Option<Interval> {
    delay(STANDARD, failed_attempts)
}

/// The same by the schedule of a provider.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::providers::ProviderRules`.
#[pg_extern(name = "retry_delay", immutable, strict, parallel_safe)]
fn retry_delay_of_provider(source: &str, failed_attempts: i32) -> Result<Option<Interval>, ErrorReport> {
    Ok(delay(provider(source)?.rules().retry, failed_attempts))
}

fn delay(schedule: Schedule, failed_attempts: i32) -> Option<Interval> {
    let failed = u32::try_from(failed_attempts).unwrap_or(0);
    schedule.delay(failed).map(|wait| {
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Interval::new(0, 0, micros).unwrap_or_report()
    })
}

/// How often a provider's event is tried before it becomes a dead letter; NULL asks for the schedule of providers that
/// have none of their own.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::retry`.
#[pg_extern(immutable, parallel_safe)]
fn max_attempts(source: default!(Option<&str>, "NULL")) -> Result<i32, ErrorReport> {
    let schedule = match source {
        Some(source) => provider(source)?.rules().retry,
        None => STANDARD,
    };
    Ok(i32::try_from(schedule.max_attempts()).unwrap_or(i32::MAX))
}
