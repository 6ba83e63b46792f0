//! What one person's devices measured, day by day.

use jiff::civil::Date;
use welltrack_core::MetricType;

/// The length of each history.
pub(super) const DAYS: i32 = 60;

/// One value of one local day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The person's local day; of waking, for sleep.
    pub(super) date: Date,
    pub(super) metric: MetricType,
    /// In the metric's canonical unit.
    pub(super) value: f64,
    /// Minutes awake between the minutes asleep; 0 for every other metric.
    pub(super) awake: f64,
}

impl Reading {
    /// Anything but sleep.
    pub(super) fn new(date: Date, metric: MetricType, value: f64) -> Self {
        Self { date, metric, value, awake: 0.0 }
    }
}

/// What one person's devices measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct History {
    /// Whose days these are, in a word: `p50`.
    pub(super) origin: String,
    /// The first of them.
    pub(super) first_day: Date,
    /// The last; the demo's three have [`DAYS`].
    pub(super) last_day: Date,
    /// In the order of the days.
    pub(super) readings: Vec<Reading>,
}
