//! The recovery score of one day: four components from 0 to 100 and their weighted mean.
//!
//! Promises: a pure function of the 31 daily values that end with the day and, for who measures seldom, of the last earlier
//! ones that their baseline needs, whatever order they come in; every number it gives is finite; a missing input is a
//! missing component, never a zero, and touches no other one. Stops at arithmetic: what a daily value is (which source
//! counts, which local day) is decided before, and what to write where after.
//!
//! The weights are a heuristic of flow 8, not a finding of medicine; the score claims nothing about illness or injury.

mod curves;
mod earlier;

use std::fmt;

pub use curves::{CURVES, Component, Curve};
use earlier::Earlier;

/// Changes whenever the same inputs could give another score.
pub const FORMULA_VERSION: &str = "1";
/// How many days a score always looks at: the day itself and the thirty before it.
pub const WINDOW_DAYS: usize = 31;
/// How many days with data a baseline needs.
///
/// Source: event flows, note 7.
pub const BASELINE_DAYS: usize = 14;
/// The fewest components that make a score.
pub const MIN_COMPONENTS: usize = 2;

/// The days of acute load, and those of the load one is used to.
const ACUTE_DAYS: usize = 7;
const CHRONIC_DAYS: usize = 28;
/// With this factor the logistic function is within 0.01 of the normal distribution function everywhere.
const LOGISTIC_TO_NORMAL: f64 = 1.702;
/// Wearables report whole beats, so a smaller spread is rounding and not the person's.
const LEAST_HR_SPREAD: f64 = 1.0;
/// Far beyond every plausible daily value, far below where sums of squares overflow.
const LARGEST: f64 = 1e12;

/// What one local day brought; a missing value is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Day {
    /// Stress score, 0 to 100.
    pub stress: Option<f64>,
    /// Minutes of sleep that ended on this day.
    pub sleep: Option<f64>,
    /// Resting heart rate in beats per minute.
    pub hr: Option<f64>,
    /// Training load: minutes x intensity factor, see [`crate::training`].
    pub load: Option<f64>,
}

impl Day {
    /// What is not a usable number is as good as missing.
    fn usable(self) -> Self {
        let usable = |value: Option<f64>| value.filter(|value| value.abs() <= LARGEST);
        Day {
            stress: usable(self.stress),
            sleep: usable(self.sleep),
            hr: usable(self.hr),
            load: usable(self.load),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Day::default()
    }
}

/// Why days make no window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowError {
    /// The sleep target is not a positive number of hours of at most 24.
    SleepTarget(f64),
    /// A day was given twice: which one counts would depend on their order.
    SecondRow {
        /// How many days before the day that is scored.
        days_before: usize,
    },
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WindowError::SleepTarget(hours) => {
                write!(f, "a sleep target of {hours:?} hours is not within a day")
            }
            WindowError::SecondRow { days_before } => {
                write!(f, "two rows for the day {days_before} days before the one to score")
            }
        }
    }
}

impl std::error::Error for WindowError {}

/// The days that one score is made of.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    sleep_target_hours: f64,
    /// By days before the one that is scored.
    days: [Option<Day>; WINDOW_DAYS],
    earlier: Earlier,
}

/// What a day came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is a score.
    Scored,
    /// Fewer than [`BASELINE_DAYS`] days up to this one had any input.
    Calibrating,
    /// Fewer than [`MIN_COMPONENTS`] components.
    Insufficient,
}

impl Status {
    /// The label of `wt_score_status`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Status::Scored => "scored",
            Status::Calibrating => "calibrating",
            Status::Insufficient => "insufficient",
        }
    }
}

/// The numbers that a score was made of, as `raw_data` keeps them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// The day's stress score, 0 to 100.
    pub stress_score: Option<f64>,
    /// The day's sleep.
    pub sleep_minutes: Option<f64>,
    /// What the sleep is measured against.
    pub sleep_target_hours: f64,
    /// The day's resting heart rate.
    pub resting_hr_bpm: Option<f64>,
    /// Mean of the baseline days: the last [`BASELINE_DAYS`] before this one that have a heart rate. Missing until there are
    /// so many; days before the window are looked for only where this day has a heart rate to compare.
    pub hr_baseline_bpm: Option<f64>,
    /// Sample standard deviation of the baseline days, before the floor of 1 bpm.
    pub hr_spread_bpm: Option<f64>,
    /// How many days the baseline has, at most [`BASELINE_DAYS`].
    pub hr_baseline_days: usize,
    /// Load of the seven days that end with this one; missing when none of them has any.
    pub load_7d: Option<f64>,
    /// Usual load of seven days; missing until [`BASELINE_DAYS`] days of history.
    pub load_baseline_7d: Option<f64>,
    /// Days since the first load among the 28 days before, this day not counted.
    pub load_history_days: usize,
    /// Days of the window with any input; where those are fewer than [`BASELINE_DAYS`], earlier ones make it up to so many.
    pub input_days: usize,
}

/// The answer for one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// Whether there is a score, and if not, why.
    pub status: Status,
    /// How many more days with input make a baseline; 0 unless calibrating.
    pub days_missing: usize,
    /// In the order of [`CURVES`], each from 0 to 100.
    pub components: [Option<f64>; 4],
    /// 0 to 100, `None` unless scored.
    pub score: Option<f64>,
    /// What it was made of.
    pub inputs: Inputs,
}

impl Window {
    /// An empty window.
    ///
    /// # Errors
    ///
    /// [`WindowError::SleepTarget`] unless the target is above 0 and at most 24 hours.
    pub fn new(sleep_target_hours: f64) -> Result<Self, WindowError> {
        if sleep_target_hours > 0.0 && sleep_target_hours <= 24.0 {
            Ok(Window { sleep_target_hours, days: [None; WINDOW_DAYS], earlier: Earlier::default() })
        } else {
            Err(WindowError::SleepTarget(sleep_target_hours))
        }
    }

    /// What sleep is measured against.
    #[must_use]
    pub const fn sleep_target_hours(&self) -> f64 {
        self.sleep_target_hours
    }

    /// Puts a day in its place. Days before the window are asked only for what it lacks of a baseline: the last
    /// [`BASELINE_DAYS`] of them that have an input, and the last that have a heart rate, are enough. A later day than the
    /// one that is scored changes nothing; NaN, infinities and numbers beyond 1e12 count as missing.
    ///
    /// # Errors
    ///
    /// [`WindowError::SecondRow`] where the place is taken. That each earlier day comes once is the caller's promise.
    pub fn insert(&mut self, days_before: i64, day: Day) -> Result<(), WindowError> {
        let Ok(days_before) = usize::try_from(days_before) else { return Ok(()) };
        let day = day.usable();
        match self.days.get_mut(days_before) {
            None => self.earlier.insert(days_before, &day),
            Some(Some(_)) => return Err(WindowError::SecondRow { days_before }),
            Some(place) => *place = Some(day),
        }
        Ok(())
    }

    /// The day's score, or why it has none. `None` when nothing is known about the day: no stress, sleep or heart rate,
    /// and no load in its seven days.
    ///
    /// ```
    /// use welltrack_core::recovery::{Day, Status, Window};
    ///
    /// let usual = Day { stress: Some(30.0), sleep: Some(450.0), hr: Some(55.0), load: Some(60.0) };
    /// let mut window = Window::new(8.0)?;
    /// assert_eq!(window.score(), None);
    /// for days_before in 0..=30 {
    ///     window.insert(days_before, usual)?;
    /// }
    /// let recovery = window.score().unwrap();
    /// assert_eq!(recovery.status, Status::Scored);
    /// assert_eq!(recovery.components, [Some(70.0), Some(93.75), Some(50.0), Some(100.0)]);
    /// assert_eq!(recovery.score, Some(0.25 * 70.0 + 0.30 * 93.75 + 0.20 * 50.0 + 0.25 * 100.0));
    /// # Ok::<(), welltrack_core::recovery::WindowError>(())
    /// ```
    #[must_use]
    pub fn score(&self) -> Option<Recovery> {
        let today = self.days[0].unwrap_or_default();
        let load_7d = self.acute_load();
        if (Day { load: load_7d, ..today }).is_empty() {
            return None;
        }
        let hr = self.hr_baseline();
        let (load_history_days, load_baseline_7d) = self.usual_load();
        let inputs = Inputs {
            stress_score: today.stress,
            sleep_minutes: today.sleep,
            sleep_target_hours: self.sleep_target_hours,
            resting_hr_bpm: today.hr,
            hr_baseline_bpm: hr.mean,
            hr_spread_bpm: hr.spread,
            hr_baseline_days: hr.days,
            load_7d,
            load_baseline_7d,
            load_history_days,
            input_days: self.input_days(),
        };
        let components = inputs.components();
        let enough = components.iter().flatten().count() >= MIN_COMPONENTS;
        let days_missing = BASELINE_DAYS.saturating_sub(inputs.input_days);
        let status = match (days_missing, enough) {
            (1.., _) => Status::Calibrating,
            (0, false) => Status::Insufficient,
            (0, true) => Status::Scored,
        };
        let score = (status == Status::Scored).then(|| weighted_mean(&components));
        Some(Recovery { status, days_missing, components, score, inputs })
    }

    fn input_days(&self) -> usize {
        let days = self.days.iter().flatten().filter(|day| !day.is_empty()).count();
        days.max(BASELINE_DAYS.min(days + self.earlier.input_days()))
    }

    fn acute_load(&self) -> Option<f64> {
        let loads = self.days[..ACUTE_DAYS].iter().rev().flatten().filter_map(|day| day.load);
        loads.fold(None, |sum, load| Some(sum.unwrap_or(0.0) + load))
    }

    /// The last 14 days with a heart rate before this one, however far apart they lie.
    fn hr_baseline(&self) -> HrBaseline {
        let mut recent = [0.0; BASELINE_DAYS];
        let is_compared = self.days[0].is_some_and(|today| today.hr.is_some());
        let earlier = self.earlier.heart_rates().take_while(|_| is_compared);
        let known = self.days[1..].iter().flatten().filter_map(|day| day.hr).chain(earlier);
        let days = recent.iter_mut().zip(known).map(|(place, hr)| *place = hr).count();
        if days < BASELINE_DAYS {
            return HrBaseline { days, mean: None, spread: None };
        }
        let mean = recent.iter().sum::<f64>() / BASELINE_DAYS as f64;
        let squares: f64 = recent.iter().map(|hr| (hr - mean) * (hr - mean)).sum();
        let spread = (squares / (BASELINE_DAYS - 1) as f64).sqrt();
        HrBaseline { days, mean: Some(mean), spread: Some(spread) }
    }

    /// The days since the first load, and seven times their daily mean. A day without a row is a day of rest.
    fn usual_load(&self) -> (usize, Option<f64>) {
        let before = &self.days[1..=CHRONIC_DAYS];
        let load = |day: &Option<Day>| day.and_then(|day| day.load);
        let history = before.iter().rposition(|day| load(day).is_some()).map_or(0, |last| last + 1);
        let sum: f64 = before.iter().rev().filter_map(load).sum();
        let usual = (history >= BASELINE_DAYS).then(|| ACUTE_DAYS as f64 * sum / history as f64);
        (history, usual)
    }
}

struct HrBaseline {
    days: usize,
    mean: Option<f64>,
    spread: Option<f64>,
}

impl Inputs {
    /// In the order of [`CURVES`], whose formulas these are.
    fn components(&self) -> [Option<f64>; 4] {
        let stress = self.stress_score.map(|stress| 100.0 - stress);
        let sleep = self.sleep_minutes.map(|minutes| minutes / 60.0 / self.sleep_target_hours * 100.0);
        let hr = self.resting_hr_bpm.zip(self.hr_baseline_bpm.zip(self.hr_spread_bpm)).map(
            |(hr, (mean, spread))| {
                100.0 / (1.0 + (LOGISTIC_TO_NORMAL * (hr - mean) / spread.max(LEAST_HR_SPREAD)).exp())
            },
        );
        // Who has not trained in four weeks has no usual load to compare with.
        let usual = self.load_baseline_7d.filter(|usual| *usual > 0.0);
        let load = self.load_7d.zip(usual).map(|(acute, usual)| acute / usual * 100.0);
        [stress, sleep, hr, load].map(|component| component.map(|value| value.clamp(0.0, 100.0)))
    }
}

/// The mean of what is there. With all four this is the flow's formula, operation by operation.
fn weighted_mean(components: &[Option<f64>; 4]) -> f64 {
    let mut sum = 0.0;
    for (curve, component) in CURVES.iter().zip(components) {
        sum += component.map_or(0.0, |component| curve.weight * component);
    }
    // All four weights add up to 1 exactly; a part of them may divide to a hair above the largest component.
    (sum / weight_of(components)).clamp(0.0, 100.0)
}

fn weight_of(components: &[Option<f64>; 4]) -> f64 {
    CURVES
        .iter()
        .zip(components)
        .filter(|(_, component)| component.is_some())
        .map(|(curve, _)| curve.weight)
        .sum()
}

impl Recovery {
    /// The weights with which the components made the score, in the order of [`CURVES`], renormalised to a sum of 1 where
    /// one is missing; all `None` without a score.
    #[must_use]
    pub fn weights(&self) -> [Option<f64>; 4] {
        if self.score.is_none() {
            return [None; 4];
        }
        let whole = weight_of(&self.components);
        std::array::from_fn(|index| self.components[index].map(|_| CURVES[index].weight / whole))
    }

    /// The weights by label as a JSON object, `{}` without a score.
    #[must_use]
    pub fn weights_json(&self) -> String {
        let weights = CURVES.iter().zip(self.weights());
        let members = weights.filter_map(|(curve, weight)| Some(format!("\"{}\":{}", curve.label, weight?)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    /// The labels of the components that are not there, in the order of [`CURVES`].
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        CURVES
            .iter()
            .zip(self.components)
            .filter(|(_, component)| component.is_none())
            .map(|(curve, _)| curve.label)
    }
}
