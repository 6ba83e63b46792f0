//! When an event whose processing failed is tried again.
//!
//! Promises: the waits of flow 3, and an end. Stops at failures: a wait that a provider asks for (429) is no failure, and
//! a lost lease is tried again at once.

use std::time::Duration;

/// How often an event is tried before it becomes a dead letter.
pub const MAX_ATTEMPTS: u32 = 5;

/// The wait after the first, second, ... failure.
///
/// Source: event flows, flow 3, "Retry Strategy".
const WAITS: [Duration; MAX_ATTEMPTS as usize - 1] =
    [Duration::from_mins(5), Duration::from_mins(30), Duration::from_hours(2), Duration::from_hours(6)];

/// How long to wait after so many failed attempts; `None` when there is to be no other one.
///
/// ```
/// use std::time::Duration;
/// use welltrack_core::retry::delay;
///
/// assert_eq!(delay(0), Some(Duration::ZERO));
/// assert_eq!(delay(1), Some(Duration::from_secs(300)));
/// assert_eq!(delay(4), Some(Duration::from_secs(21_600)));
/// assert_eq!(delay(5), None);
/// ```
#[must_use]
pub fn delay(failed_attempts: u32) -> Option<Duration> {
    match failed_attempts.checked_sub(1) {
        None => Some(Duration::ZERO),
        Some(failure) => WAITS.get(failure as usize).copied(),
    }
}
