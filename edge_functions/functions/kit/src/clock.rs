//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970; 0 on a machine that believes in an earlier time.
#[must_use]
pub fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A length of time in microseconds; one beyond the range is the longest.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The time after `duration`, in microseconds since 1970.
#[must_use]
pub fn after(duration: Duration) -> i64 {
    unix_micros().saturating_add(micros(duration))
}
