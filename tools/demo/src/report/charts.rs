//! The charts of a person's days: recovery, its components, the resting heart rate within its baseline.
//!
//! Promises: each day has exactly one mark in the first chart, and a day without a score has it below the axis, where no score
//! can be; every value that a chart speaks of has one mark in it. Stops at days: goals are drawn by [`super::goal`].

use anyhow::Result;
use jiff::civil::Date;
use plotters::style::RGBColor;

use super::axis::{Axis, number, short, stretches};
use super::canvas::{Canvas, Drawing, Key, Mark, Plot, colour, draw};
use super::data::{Day, Person, Status};
use crate::weights::Weights;

/// A drawing, what it says to somebody who can't see it, and which marks it has.
pub(super) struct Chart {
    /// A word for addresses and tests.
    pub(super) kind: &'static str,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) drawing: Drawing,
    /// What is marked, in which colour.
    pub(super) marks: Vec<(&'static str, RGBColor)>,
}

/// The components as the engine and as people name them, and their colours.
pub(super) const COMPONENTS: [(&str, &str, RGBColor); 4] = [
    ("stress", "Stress", colour::PURPLE),
    ("sleep", "Sleep", colour::SKY),
    ("hr", "Resting heart rate", colour::RED),
    ("load", "Training load", colour::GREEN),
];

/// Marks of days without a score.
const UNSCORED: [(Status, Mark, RGBColor, &str); 3] = [
    (Status::Calibrating, Mark::Square, colour::LEARNING, "calibrating"),
    (Status::TooLittle, Mark::Triangle, colour::TOO_LITTLE, "too few inputs"),
    (Status::Nothing, Mark::Ring, colour::NOTHING, "nothing measured"),
];

/// Scores, and below them a mark for each day that has none.
pub(super) fn recovery(person: &Person) -> Result<Chart> {
    let days = &person.days;
    let scores: Vec<Option<f64>> = days.iter().map(|day| day.score).collect();
    let last = days.iter().rev().find_map(|day| Some((day.score?, day.date)));
    let title = match last {
        Some((score, date)) => format!("Recovery: {} on {}", number(score, 0), short(date)),
        None => "Recovery: no score yet".to_owned(),
    };
    let mut keys = vec![Key::new(Mark::Dot, colour::BLUE, "score of a day")];
    keys.extend(UNSCORED.map(|(_, mark, colour, says)| Key::new(mark, colour, says)));
    let drawing = draw(|canvas| {
        canvas.head(&title, &keys)?;
        let axes = (day_axis(days), points(-15.0, 25));
        let plot = canvas.plot(166.0, axes, ("", "points, 0 to 100"))?;
        curve(canvas, &plot, &scores, colour::BLUE, 1.0)?;
        for (place, day) in days.iter().enumerate() {
            if let Some((_, mark, colour, _)) = UNSCORED.iter().find(|(status, ..)| *status == day.status) {
                canvas.stamp(plot.at(place as f64, -8.0), *mark, *colour, 0.85)?;
            }
        }
        canvas.days(&plot, &days_are(days))
    })?;
    let count = |status| days.iter().filter(|day| day.status == status).count();
    let mut description = match spread(&scores) {
        Some((low, high)) => format!(
            "{} have a score, from {} to {}.",
            plural(count(Status::Scored), "day"),
            number(low, 0),
            number(high, 0)
        ),
        None => "No day has a score.".to_owned(),
    };
    for (status, _, _, says) in UNSCORED {
        description.push_str(&format!(" {says}: {}.", plural(count(status), "day")));
    }
    let marks =
        [("score", colour::BLUE)].into_iter().chain(UNSCORED.map(|(_, _, colour, says)| (says, colour)));
    Ok(Chart { kind: "recovery", title, description, drawing, marks: marks.collect() })
}

/// What the scores are made of, one above the other.
pub(super) fn components(person: &Person, weights: &Weights) -> Result<Chart> {
    let days = &person.days;
    let title = "What the score is made of".to_owned();
    let series: [Vec<Option<f64>>; 4] =
        [0, 1, 2, 3].map(|n| days.iter().map(|day| day.components[n]).collect());
    let drawing = draw(|canvas| {
        canvas.head(
            &title,
            &[
                Key::new(Mark::Dot, colour::MUTED, "component of a day"),
                Key::new(Mark::Ring, colour::NOTHING, "not known"),
            ],
        )?;
        for (values, (label, name, own)) in series.iter().zip(COMPONENTS) {
            let shown = weights.named(label, name);
            let plot = canvas.plot(70.0, (day_axis(days), points(-26.0, 50)), (&shown, "points"))?;
            curve(canvas, &plot, values, own, 0.8)?;
            for (place, _) in values.iter().enumerate().filter(|(_, value)| value.is_none()) {
                canvas.stamp(plot.at(place as f64, -14.0), Mark::Ring, colour::NOTHING, 0.7)?;
            }
            if label == COMPONENTS[3].0 {
                canvas.days(&plot, &days_are(days))?;
            }
        }
        Ok(())
    })?;
    let described = series.iter().zip(COMPONENTS).map(|(values, (label, name, _))| {
        let shown = weights.named(label, name);
        match spread(values) {
            Some((low, high)) => format!(
                "{shown}: known for {}, from {} to {} points.",
                plural(values.iter().flatten().count(), "day"),
                number(low, 0),
                number(high, 0)
            ),
            None => format!("{shown}: not known."),
        }
    });
    let marks =
        COMPONENTS.map(|(name, _, colour)| (name, colour)).into_iter().chain([("unknown", colour::NOTHING)]);
    let description = described.collect::<Vec<_>>().join(" ");
    Ok(Chart { kind: "components", title, description, drawing, marks: marks.collect() })
}

/// The heart at rest, and the band within which it usually is.
pub(super) fn heart_rate(person: &Person) -> Result<Chart> {
    let days = &person.days;
    let rates: Vec<Option<f64>> = days.iter().map(|day| day.heart_rate).collect();
    let bands: Vec<Option<(f64, f64)>> = days.iter().map(|day| day.heart_baseline).collect();
    let title = match bands.iter().rev().find_map(|band| *band) {
        Some((mean, spread)) => {
            format!("Resting heart rate: usually {} ± {}", number(mean, 1), number(spread, 1))
        }
        None => "Resting heart rate: no baseline yet".to_owned(),
    };
    let edges = bands.iter().flatten().flat_map(|(mean, spread)| [mean - spread, mean + spread]);
    let values = Axis::around(rates.iter().flatten().copied().chain(edges));
    let drawing = draw(|canvas| {
        canvas.head(
            &title,
            &[
                Key::new(Mark::Dot, colour::RED, "resting heart rate"),
                Key::new(Mark::Line, colour::SKY, "baseline (mean)"),
                Key::new(Mark::Band, colour::SKY, "± 1 standard deviation"),
            ],
        )?;
        let plot = canvas.plot(150.0, (day_axis(days), values), ("", "beats a minute"))?;
        for (from, band) in stretches(&bands) {
            let edge = |of: &dyn Fn(&(f64, f64)) -> f64| -> Vec<(i32, i32)> {
                // A day is as wide as the way to the next, so that one day alone has a band as well.
                let half = [-0.5, 0.5];
                band.iter()
                    .enumerate()
                    .flat_map(|(n, day)| half.map(|half| plot.at((from + n) as f64 + half, of(day))))
                    .collect()
            };
            canvas.band(
                &edge(&|(mean, spread)| mean - spread),
                &edge(&|(mean, spread)| mean + spread),
                colour::SKY,
            )?;
            canvas.line(&edge(&|(mean, _)| *mean), colour::SKY, 1.5)?;
        }
        curve(canvas, &plot, &rates, colour::RED, 0.9)?;
        canvas.days(&plot, &days_are(days))
    })?;
    let within = days.iter().filter_map(|day| Some((day.heart_rate?, day.heart_baseline?)));
    let within: Vec<bool> = within.map(|(rate, (mean, spread))| (rate - mean).abs() <= spread).collect();
    let description = format!(
        "{title} beats a minute. Measured on {}; on {} of the {} with a baseline it was within one standard deviation.",
        plural(rates.iter().flatten().count(), "day"),
        within.iter().filter(|within| **within).count(),
        plural(within.len(), "day"),
    );
    let marks = vec![("heart rate", colour::RED)];
    Ok(Chart { kind: "heart-rate", title, description, drawing, marks })
}

/// A line with a dot for each value.
fn curve(
    canvas: &Canvas<'_>,
    plot: &Plot<'_>,
    values: &[Option<f64>],
    colour: RGBColor,
    size: f64,
) -> Result<()> {
    for (from, stretch) in stretches(values) {
        let places: Vec<_> =
            stretch.iter().enumerate().map(|(n, value)| plot.at((from + n) as f64, *value)).collect();
        if places.len() > 1 {
            canvas.line(&places, colour, 1.25)?;
        }
        places.iter().try_for_each(|place| canvas.stamp(*place, Mark::Dot, colour, size))?;
    }
    Ok(())
}

/// 0 to 100, with some room below for what is no number.
fn points(from: f64, step: usize) -> Axis {
    Axis::new(from..104.0, (0..=100).step_by(step).map(|n| (f64::from(n), n.to_string())).collect())
}

fn day_axis(days: &[Day]) -> Axis {
    Axis::days(days.first().map_or(Date::default(), |day| day.date), days.len())
}

fn days_are(days: &[Day]) -> String {
    let year = |day: Option<&Day>| day.map(|day| day.date.year());
    years("local day", year(days.first()), year(days.last()))
}

/// `local day, 2024 to 2025`.
pub(super) fn years(what: &str, first: Option<i16>, last: Option<i16>) -> String {
    match (first, last) {
        (Some(first), Some(last)) if first == last => format!("{what}, {first}"),
        (Some(first), Some(last)) => format!("{what}, {first} to {last}"),
        _ => what.to_owned(),
    }
}

fn spread(values: &[Option<f64>]) -> Option<(f64, f64)> {
    values.iter().flatten().fold(None, |spread, &value| match spread {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
