//! `retry_delay`: how long a failed event of the webhook queue waits before its next attempt.

use pgrx::datum::{Interval, IntervalConversionError};
use pgrx::prelude::*;

/// How long an event waits after so many failed attempts; NULL when there is to be no other attempt.
///
/// Argument: failures so far; none or less means no wait.
///
/// Source: event flows, flow 3, "Retry Strategy".
#[pg_extern(immutable, strict, parallel_safe)]
fn retry_delay(failed_attempts: i32) -> Result<Option<Interval>, IntervalConversionError> {
    let failed = u32::try_from(failed_attempts).unwrap_or(0);
    welltrack_core::retry::delay(failed)
        .map(|wait| {
            let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
            Interval::new(0, 0, micros)
        })
        .transpose()
}
