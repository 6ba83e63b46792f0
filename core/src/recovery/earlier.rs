//! What the days before the window add to a baseline that the window alone does not fill.
//!
//! Promises: the same in whatever order the days come. Stops at keeping: whether they are needed is the window's question.

use super::{BASELINE_DAYS, Day};

/// How many days had any input, and the latest heart rates.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Earlier {
    /// No more than are ever asked for.
    input_days: usize,
    /// Days before the one that is scored and beats per minute, the latest first, and then empty places.
    heart_rates: [Option<(usize, f64)>; BASELINE_DAYS],
}

impl Earlier {
    /// Takes note of a day, once.
    pub(super) fn insert(&mut self, days_before: usize, day: &Day) {
        if day.is_empty() {
            return;
        }
        self.input_days = BASELINE_DAYS.min(self.input_days + 1);
        let Some(hr) = day.hr else { return };
        let is_later = |place: &Option<(usize, f64)>| place.is_some_and(|(known, _)| known <= days_before);
        let place = self.heart_rates.partition_point(is_later);
        let rest = &mut self.heart_rates[place..];
        if let Some(last) = rest.last_mut() {
            *last = Some((days_before, hr));
            rest.rotate_right(1);
        }
    }

    /// How many days had any input, at most [`BASELINE_DAYS`].
    pub(super) const fn input_days(&self) -> usize {
        self.input_days
    }

    /// The last [`BASELINE_DAYS`] heart rates, the latest first.
    pub(super) fn heart_rates(&self) -> impl Iterator<Item = f64> {
        self.heart_rates.iter().flatten().map(|(_, hr)| *hr)
    }
}
