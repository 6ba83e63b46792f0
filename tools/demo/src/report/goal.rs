//! The chart of a goal: what was measured, the line through it, how far a reading may stray from it, and when it arrives.
//!
//! Promises: the line, the band and the dates are the database's; nothing is drawn where it found no line. Stops at the drawing.

use anyhow::Result;
use jiff::civil::Date;
use plotters::style::RGBColor;
use welltrack_core::MetricType;
use welltrack_core::units::to_canonical;

use super::axis::{Axis, number, short};
use super::canvas::{Key, Mark, colour, draw};
use super::charts::{Chart, plural, years};
use super::data::{Forecast, Goal, Predicted};

const VALUE: RGBColor = colour::BLUE;
const LINE: RGBColor = colour::RED;
const TARGET: RGBColor = colour::GREEN;

/// How a metric is shown: its name, the person's unit, how many stored units make one of those, and digits after the point.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) unit: String,
    divide: f64,
    decimals: usize,
}

impl Shown {
    pub(super) fn of(goal: &Goal) -> Self {
        let metric = MetricType::from_label(&goal.metric_type);
        let Some(metric) = metric else {
            let name = goal.metric_type.replace('_', " ");
            return Self { name, unit: goal.unit.clone(), divide: 1.0, decimals: 0 };
        };
        let words = metric.spec().words;
        let unit = match if goal.is_imperial { words.imperial } else { words.unit } {
            "h" => "hours",
            unit => unit,
        };
        // A test of core's table holds that `units` knows each of them.
        let divide = to_canonical(metric, 1.0, Some(unit), None).unwrap_or(1.0);
        Self { name: words.name.to_owned(), unit: unit.to_owned(), divide, decimals: words.decimals }
    }

    pub(super) fn amount(&self, value: f64) -> String {
        let number = number(value / self.divide, self.decimals);
        format!("{} {}", number.strip_suffix(".0").unwrap_or(&number), self.unit)
    }

    /// `sleep 7 hours`; `15,000 steps`, since nobody says it twice.
    pub(super) fn named(&self, value: f64) -> String {
        let amount = self.amount(value);
        if self.name == self.unit { amount } else { format!("{} {amount}", self.name) }
    }
}

/// One goal.
pub(super) fn chart(goal: &Goal) -> Result<Chart> {
    let shown = Shown::of(goal);
    let scaled = |value: f64| value / shown.divide;
    let target = scaled(goal.target_value);
    let seen = &goal.seen;
    let first = seen.first_day.unwrap_or_default();
    let line: Vec<Predicted> = seen
        .line
        .iter()
        // Nothing that is measured is below zero, however far down the line goes.
        .map(|at| [at.value, at.low, at.high].map(|value| scaled(value).max(0.0)))
        .map(|[value, low, high]| Predicted { value, low, high })
        .collect();
    let values: Vec<Option<f64>> = seen.values.iter().map(|value| value.map(scaled)).collect();
    let projected = goal.forecast.as_ref().and_then(|forecast| Projected::of(forecast, first));

    let title = format!("Goal: {}", shown.named(goal.target_value));
    let mut keys =
        vec![Key::new(Mark::Dot, VALUE, "value of a day"), Key::new(Mark::Dashes, TARGET, "target")];
    if !line.is_empty() {
        keys.push(Key::new(Mark::Line, LINE, "trend of 30 days"));
        keys.push(Key::new(Mark::Band, LINE, "95 % of readings"));
    }
    if projected.is_some() {
        keys.push(Key::new(Mark::Diamond, colour::INK, "projected date"));
        keys.push(Key::new(Mark::Line, colour::INK, "earliest to latest"));
    }
    let length = line.len().max(values.len() + 14);
    // What is far away may leave the picture sooner than the values are squeezed together.
    let edges = line.iter().flat_map(|at| [at.low, at.high]);
    let axis = Axis::around(values.iter().flatten().copied().chain([target]).chain(edges));
    let drawing = draw(|canvas| {
        canvas.head(&title, &keys)?;
        let plot = canvas.plot(178.0, (Axis::days(first, length), axis), ("", &shown.unit))?;
        let at = |(day, value): (usize, f64)| plot.at(day as f64, value);
        let edge = |of: &dyn Fn(&Predicted) -> f64| -> Vec<(i32, i32)> {
            line.iter().map(of).enumerate().map(at).collect()
        };
        if !line.is_empty() {
            canvas.band(&edge(&|at| at.low), &edge(&|at| at.high), LINE)?;
        }
        canvas.dashes(&[at((0, target)), at((length - 1, target))], TARGET, 1.75)?;
        let trend = edge(&|at| at.value);
        let (past, future) = trend.split_at(values.len().min(trend.len()));
        canvas.line(past, LINE, 2.0)?;
        if let Some(today) = past.last() {
            canvas.dashes(&[&[*today], future].concat(), LINE, 2.0)?;
        }
        for (day, value) in values.iter().enumerate() {
            if let Some(value) = value {
                canvas.stamp(at((day, *value)), Mark::Dot, VALUE, 1.0)?;
            }
        }
        if let Some(Projected { at: day, low, high }) = projected {
            let end = length as f64 - 0.4;
            let from = plot.at(low.min(end), target);
            let to = plot.at(high.unwrap_or(end).min(end), target);
            canvas.line(&[from, to], colour::INK, 1.75)?;
            if high.is_none_or(|high| high > end) {
                canvas.arrow(to, colour::INK)?;
            }
            // What lies beyond the picture has no mark in it: the words name the day.
            if day < end {
                canvas.stamp(plot.at(day, target), Mark::Diamond, colour::INK, 1.2)?;
            }
        }
        canvas.days(&plot, &spoken_days(first, length))
    })?;
    let description = described(goal, &shown, &values);
    let marks = vec![("value", VALUE), ("projected", colour::INK)];
    Ok(Chart { kind: "goal", title, description, drawing, marks })
}

/// Days from the first of the drawing on.
#[derive(Clone, Copy)]
struct Projected {
    at: f64,
    low: f64,
    /// Missing where it is too far away to be told.
    high: Option<f64>,
}

impl Projected {
    fn of(forecast: &Forecast, first: Date) -> Option<Self> {
        let days = |day: Date| Some(f64::from(first.until(day).ok()?.get_days()));
        let at = days(forecast.projected_date?)?;
        let low = forecast.projected_low.and_then(days).unwrap_or(at);
        Some(Self { at, low, high: forecast.projected_high.and_then(days) })
    }
}

fn spoken_days(first: Date, length: usize) -> String {
    let last = first.checked_add(jiff::Span::new().days(length as i64)).map_or(first, |day| day);
    years("local day", Some(first.year()), Some(last.year()))
}

fn described(goal: &Goal, shown: &Shown, values: &[Option<f64>]) -> String {
    let days = plural(values.iter().flatten().count(), "day");
    let mut text = format!("Values of {days}, target {}.", shown.amount(goal.target_value));
    if let Some(forecast) = &goal.forecast {
        let day = |day: Option<Date>| day.map(|day| format!("{} {}", short(day), day.year()));
        match day(forecast.projected_date) {
            Some(projected) => {
                let low = day(forecast.projected_low).unwrap_or_else(|| projected.clone());
                let high = day(forecast.projected_high).unwrap_or_else(|| "an unknown day".to_owned());
                text.push_str(&format!(" The trend reaches it on {projected}; between {low} and {high}."));
            }
            None => text.push_str(&format!(" Forecast: {}.", forecast.status.replace('_', " "))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::somebody;
    use super::*;

    #[test]
    fn a_goal_is_told_in_the_units_that_its_person_chose() {
        let told = |metric: &str, unit: &str, target_value: f64| {
            [false, true].map(|is_imperial| {
                let mut goal = somebody("Ada", 1).goals.remove(0);
                goal =
                    Goal { metric_type: metric.into(), unit: unit.into(), target_value, is_imperial, ..goal };
                Shown::of(&goal).named(target_value)
            })
        };
        assert_eq!(told("weight", "kg", 75.0), ["weight 75 kg", "weight 165.3 lb"]);
        assert_eq!(told("distance", "m", 8046.72), ["distance 8 km", "distance 5 mi"]);
        assert_eq!(told("sleep", "min", 450.0), ["sleep 7.5 hours", "sleep 7.5 hours"]);
        assert_eq!(told("steps", "count", 10_000.0), ["10,000 steps", "10,000 steps"]);
        assert_eq!(told("spo2", "%", 97.5), ["blood oxygen 97.5 %", "blood oxygen 97.5 %"]);
    }
}
