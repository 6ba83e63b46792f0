//! What charts measure: ranges of values and of days, the round places on them, and how numbers and days are written.
//!
//! Promises: an axis has room for all its values; a day without a value parts what is on either side of it. Stops at numbers:
//! the paper is [`super::canvas`]'s.

use std::ops::Range;

use jiff::Span;
use jiff::civil::Date;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// A range of values and the places that are named on it.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    range: Range<f64>,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Values from `range`, named at these places.
    pub(super) fn new(range: Range<f64>, ticks: Vec<(f64, String)>) -> Self {
        Self { range, ticks }
    }

    /// Room for all the values, named at three to six round numbers.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let margin = ((high - low) * 0.08).max(high.abs() * 0.01).max(0.01);
        let (low, high) = (low - margin, high + margin);
        let rough = (high - low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let decimals = usize::from(step < 1.0) * (-step.log10()).ceil().clamp(0.0, 6.0) as usize;
        let ticks = ((low / step).ceil() as i64..=(high / step).floor() as i64)
            .map(|n| n as f64 * step)
            .map(|value| (value, number(value, decimals)))
            .collect();
        Self { range: low..high, ticks }
    }

    /// The days of a stretch, counted from its first, named a round number of weeks apart.
    pub(super) fn days(first: Date, days: usize) -> Self {
        let step = [7, 14, 28, 56, 84].into_iter().find(|step| days <= step * 5).unwrap_or(days.div_ceil(5));
        let ticks = (0..days)
            .step_by(step)
            .filter_map(|day| {
                Some((day as f64, short(first.checked_add(Span::new().days(day as i64)).ok()?)))
            })
            .collect();
        Self { range: -0.7..days as f64 - 0.3, ticks }
    }
}

/// `15,000`, `7.5`.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut said =
        String::from(if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "-" } else { "" });
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            said.push(',');
        }
        said.push(digit);
    }
    said + fraction
}

/// `5 Mar`.
pub(super) fn short(day: Date) -> String {
    day.strftime("%-d %b").to_string()
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        (f64::from(start) + share * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }

    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(place, _)| place == value).map_or_else(String::new, |(_, name)| name.clone())
    }
}

/// Stretches of days that follow each other and all have a value, with the first one's place.
pub(super) fn stretches<T: Copy>(days: &[Option<T>]) -> Vec<(usize, Vec<T>)> {
    let mut found: Vec<(usize, Vec<T>)> = Vec::new();
    let mut open = false;
    for (place, day) in days.iter().enumerate() {
        match (day, found.last_mut()) {
            (Some(value), Some((_, values))) if open => values.push(*value),
            (Some(value), _) => found.push((place, vec![*value])),
            (None, _) => {}
        }
        open = day.is_some();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_day_breaks_the_line() {
        let days = [None, Some(1), Some(2), None, None, Some(3), None];
        assert_eq!(stretches(&days), [(1, vec![1, 2]), (5, vec![3])]);
        assert_eq!(stretches::<i32>(&[None, None]), []);
    }

    #[test]
    fn numbers_are_grouped_and_zero_has_no_sign() {
        assert_eq!(number(15_000.0, 0), "15,000");
        assert_eq!(number(-1_234.56, 1), "-1,234.6");
        assert_eq!(number(-0.001, 1), "0.0");
    }

    proptest! {
        #[test]
        fn an_axis_has_room_for_its_values_and_names_a_few_round_places(
            values in prop::collection::vec(prop_oneof![-1e-3..1e-3, 40.0..60.0, -1e6..1e6], 0..20)
        ) {
            let axis = Axis::around(values.iter().copied());
            prop_assert!(values.iter().all(|value| axis.range.contains(value)));
            prop_assert!((2..=7).contains(&axis.ticks.len()), "{axis:?}");
            prop_assert!(axis.ticks.iter().all(|(place, _)| axis.range.contains(place)));
            let mut names: Vec<_> = axis.ticks.iter().map(|(_, name)| name).collect();
            names.dedup();
            prop_assert_eq!(names.len(), axis.ticks.len(), "two places of one name: {:?}", axis);
        }

        #[test]
        fn days_are_named_at_most_six_times(days in 1_usize..2000) {
            let axis = Axis::days(jiff::civil::date(2024, 2, 28), days);
            prop_assert!((1..=6).contains(&axis.ticks.len()), "{axis:?}");
        }
    }
}
