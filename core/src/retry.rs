//! When an event whose processing failed is tried again.
//!
//! Only failures count: a wait that a provider asks for (429) is none, and a lost lease is tried again at once. Which
//! schedule a provider has is in [`crate::providers::Provider::rules`].

use std::time::Duration;

/// The waits after the first, second, ... failure. The failure after the last one makes a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule(&'static [Duration]);

/// Source: event flows, flow 3, "Retry Strategy".
pub const STANDARD: Schedule = Schedule(&[
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
]);

impl Schedule {
    /// How often an event is tried before it becomes a dead letter.
    ///
    /// ```
    /// assert_eq!(welltrack_core::retry::STANDARD.max_attempts(), 5);
    /// ```
    #[must_use]
    pub const fn max_attempts(self) -> u32 {
        // A schedule is a handful of waits.
        self.0.len() as u32 + 1
    }

    /// How long to wait after so many failed attempts; `None` when there is to be no other one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use welltrack_core::retry::STANDARD;
    ///
    /// assert_eq!(STANDARD.delay(0), Some(Duration::ZERO));
    /// assert_eq!(STANDARD.delay(1), Some(Duration::from_secs(300)));
    /// assert_eq!(STANDARD.delay(4), Some(Duration::from_secs(21_600)));
    /// assert_eq!(STANDARD.delay(5), None);
    /// ```
    #[must_use]
    pub fn delay(self, failed_attempts: u32) -> Option<Duration> {
        match failed_attempts.checked_sub(1) {
            None => Some(Duration::ZERO),
            Some(failure) => self.0.get(failure as usize).copied(),
        }
    }
}
