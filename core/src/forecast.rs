//! When a goal will be reached if things go on as in the last weeks.
//!
//! Promises: a date only where the trend is distinguishable from none, leads to the goal and gets there within ten years;
//! `low <= projected <= high`, none before the day it is asked on; hostile numbers end in a status, not in a panic. Stops
//! at the straight line: no seasons, no plateaus, no promise.

use std::str::FromStr;
use std::sync::OnceLock;

use crate::MICROS_PER_DAY;
use crate::metric::UnknownLabel;
use crate::reason::Quoted;
use crate::regression::Line;

/// Ten years: dates beyond are not told.
pub const HORIZON_DAYS: i32 = 3_652;
/// The level of the test whether there is a trend, and of the band around the line.
pub const LEVEL: f64 = 0.95;

/// Days since 1970-01-01.
pub type EpochDay = i32;

/// Which way a goal lies: `wt_goal_direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Direction {
    Increase,
    Decrease,
}

impl FromStr for Direction {
    type Err = UnknownLabel;

    fn from_str(label: &str) -> Result<Self, UnknownLabel> {
        match label {
            "increase" => Ok(Direction::Increase),
            "decrease" => Ok(Direction::Decrease),
            _ => Err(UnknownLabel::new(format!("{} is not a direction", Quoted(label)))),
        }
    }
}

/// A goal and the day on which somebody asks about it.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The value to reach, in the metric's unit.
    pub target: f64,
    /// From which side.
    pub direction: Direction,
    /// The latest value, if there is one.
    pub current: Option<f64>,
    /// The day of the forecast.
    pub as_of: EpochDay,
}

/// When a goal will be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forecast {
    /// The line reaches the target within ten years.
    OnTrack {
        /// The first day after that of the forecast on which the line is at the target or past it.
        projected: EpochDay,
        /// The first day on which a single reading of the target would be within the band of 95%.
        low: EpochDay,
        /// The last such day; `None` where it lies beyond ten years.
        high: Option<EpochDay>,
        /// R² of the line, 0 to 1.
        confidence: f64,
    },
    /// The current value is at the target or past it.
    Reached,
    /// The trend leads away from the target, or is not different from none at the 5% level.
    NotConverging,
    /// The line reaches the target, but not within ten years.
    BeyondHorizon {
        /// R² of the line, 0 to 1.
        confidence: f64,
    },
    /// Fewer than three points, or all at the same time.
    TooFewPoints,
}

/// What a forecast comes to: `wt_forecast_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is a date.
    OnTrack,
    /// There is a date, after the goal's deadline.
    Late,
    /// The goal is reached.
    Reached,
    /// No trend towards the goal.
    NotConverging,
    /// More than ten years.
    BeyondHorizon,
    /// No line.
    TooFewPoints,
    /// Nobody has asked yet: the person's baseline is not finished.
    Calibrating,
}

impl Status {
    /// Every status, in the order of the database's enum.
    pub const ALL: [Status; 7] = [
        Status::OnTrack,
        Status::Late,
        Status::Reached,
        Status::NotConverging,
        Status::BeyondHorizon,
        Status::TooFewPoints,
        Status::Calibrating,
    ];

    /// The enum label, such as `on_track`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Status::OnTrack => "on_track",
            Status::Late => "late",
            Status::Reached => "reached",
            Status::NotConverging => "not_converging",
            Status::BeyondHorizon => "beyond_horizon",
            Status::TooFewPoints => "too_few_points",
            Status::Calibrating => "calibrating",
        }
    }
}

impl FromStr for Status {
    type Err = UnknownLabel;

    fn from_str(label: &str) -> Result<Self, UnknownLabel> {
        let known = Status::ALL.into_iter().find(|status| status.label() == label);
        known.ok_or_else(|| UnknownLabel::new(format!("{} is not a forecast's status", Quoted(label))))
    }
}

impl Forecast {
    /// What it comes to for a goal with or without a deadline. A deadline that is over makes every date a late one.
    #[must_use]
    pub fn status(&self, deadline: Option<EpochDay>) -> Status {
        match self {
            Forecast::OnTrack { projected, .. } if deadline.is_some_and(|last| *projected > last) => {
                Status::Late
            }
            Forecast::OnTrack { .. } => Status::OnTrack,
            Forecast::Reached => Status::Reached,
            Forecast::NotConverging => Status::NotConverging,
            Forecast::BeyondHorizon { .. } => Status::BeyondHorizon,
            Forecast::TooFewPoints => Status::TooFewPoints,
        }
    }
}

/// Projects the line to the goal.
///
/// `low` and `high` are where the band in which single readings are expected ([`Line::predict`] at 95%) meets the target:
/// Fieller's inverse prediction. It exists whenever the slope differs from zero at the same level, which is asked first.
///
/// ```
/// use welltrack_core::MICROS_PER_DAY;
/// use welltrack_core::forecast::{Direction, Forecast, Goal, forecast};
/// use welltrack_core::regression::Sums;
///
/// let mut sums = Sums::default();
/// for day in 0..30 {
///     let noise = if day % 2 == 0 { 0.1 } else { -0.1 };
///     sums.push(80.0 - 0.1 * f64::from(day) + noise, i64::from(20_000 + day) * MICROS_PER_DAY);
/// }
/// let goal = Goal { target: 75.0, direction: Direction::Decrease, current: Some(77.1), as_of: 20_029 };
/// let Forecast::OnTrack { projected, low, high, .. } = forecast(&sums.line(), &goal) else { panic!() };
/// assert_eq!((low, projected, high), (20_048, 20_050, Some(20_053)));
/// ```
#[must_use]
pub fn forecast(line: &Line, goal: &Goal) -> Forecast {
    // From here on up is towards the goal.
    let sign = match goal.direction {
        Direction::Increase => 1.0,
        Direction::Decrease => -1.0,
    };
    if goal.current.is_some_and(|current| sign * current >= sign * goal.target) {
        return Forecast::Reached;
    }
    let Some((slope, slope_se, t)) = trend(line) else { return Forecast::TooFewPoints };
    let slope = sign * slope;
    let converging = slope > t * slope_se;
    if !converging {
        return Forecast::NotConverging;
    }
    let confidence = line.r_squared.filter(|share| (0.0..=1.0).contains(share)).unwrap_or_default();
    let distance = sign * (goal.target - line.mean_y);
    let residual = t * line.residual_se.unwrap_or_default();
    let (low, high) = crossings(line, distance, slope, residual);
    let day = |days_from_mean: f64| first_day(line, days_from_mean, goal.as_of);
    match (day(low), day(distance / slope), day(high)) {
        (Some(low), Some(projected), high) => {
            // The three are rounded apart from each other.
            let high = high.map(|high| high.max(projected));
            Forecast::OnTrack { projected, low: low.min(projected), high, confidence }
        }
        _ => Forecast::BeyondHorizon { confidence },
    }
}

/// Slope, its standard error, and how many of those it has to be away from zero.
pub(crate) fn trend(line: &Line) -> Option<(f64, f64, f64)> {
    // Inverting the distribution takes longer than all the rest; a month of days asks for few different values.
    static OF_POINTS: [OnceLock<Option<f64>>; 33] = [const { OnceLock::new() }; 33];
    let known = usize::try_from(line.points).ok().and_then(|points| OF_POINTS.get(points));
    let t = known.map_or_else(|| line.student_t(LEVEL), |known| *known.get_or_init(|| line.student_t(LEVEL)));
    Some((line.slope?, line.slope_se?, t?))
}

/// The two solutions `u` of `(slope u - distance)² = residual² (1 + 1/n + u²/sxx)`, the smaller first.
fn crossings(line: &Line, distance: f64, slope: f64, residual: f64) -> (f64, f64) {
    // In units of the slope everything is a number of days: squeeze u² - 2 centre u + (centre² - level) = 0.
    let (centre, residual) = (distance / slope, residual / slope);
    let squeeze = (1.0 - residual * residual / line.sxx).max(0.0);
    let level = residual * residual * (1.0 + 1.0 / line.points as f64);
    let root = (level * squeeze + centre * centre * (1.0 - squeeze)).max(0.0).sqrt();
    // Of each pair the one that adds two numbers of one sign; the other root follows from their product.
    let product = centre * centre - level;
    if root == 0.0 {
        (centre, centre)
    } else if centre >= 0.0 {
        (product / (centre + root), (centre + root) / squeeze)
    } else {
        ((centre - root) / squeeze, product / (centre - root))
    }
}

/// The first whole day at or after a distance from the mean; `None` beyond the horizon or where that is no number.
fn first_day(line: &Line, days_from_mean: f64, as_of: EpochDay) -> Option<EpochDay> {
    let ahead = (line.mean_x / MICROS_PER_DAY as f64 + days_from_mean - f64::from(as_of)).ceil();
    // On the day of asking itself it was not there: that would be a goal reached.
    (ahead <= f64::from(HORIZON_DAYS)).then(|| as_of.saturating_add(ahead.max(1.0) as i32))
}
