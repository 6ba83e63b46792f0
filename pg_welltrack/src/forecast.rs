//! `forecast`: when a goal will be reached; `forecast_narrative` and `recovery_narrative`: words for it and for the score.
//!
//! Promises: what `welltrack_core` computes from the line and the goal that are handed in. Stops at the two: which
//! readings make the line, and whether a forecast is due, is the schema's.

use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::forecast::{Direction, EpochDay, Forecast, Goal, Status};
use welltrack_core::narrative;

use crate::composite::{composite, row};
use crate::convert::{from_epoch_day, to_epoch_day};
use crate::error::Error;
use crate::metric::metric;
use crate::regression::Fitted;

extension_sql!(
    "create type goal_forecast as (
       status text, projected_date date, projected_low date, projected_high date, confidence double precision
     );
     comment on type goal_forecast is
       'on_track, late, reached, not_converging, beyond_horizon or too_few_points; the first day on which the line is at the target; the days between which single readings are expected there (95%); R2 of the line.';",
    name = "goal_forecast"
);

composite!(GoalForecast, "goal_forecast");

/// When the line `r` reaches `target`.
///
/// Arguments: a line over time, the target in the same unit, `increase` or `decrease`, the latest value (NULL if there is
/// none), the day of asking, the day by which to be there (NULL if there is none): `late` is a date after it. Dates are days on which the line, at midnight UTC, is at the target or past it; none lies
/// before the day after `as_of` or more than ten years ahead. `confidence` is R² (0 to 1) where the line leads to the target, else
/// NULL. A NULL line counts as one without points; a NULL target, direction or day, and an infinite day, give NULL.
///
/// Errors: 22023 for another direction. Source: `welltrack_core::forecast`.
#[pg_extern(immutable, parallel_safe, requires = ["regression_types", "goal_forecast"])]
fn forecast(
    r: Option<Fitted>,
    target: Option<f64>,
    direction: Option<&str>,
    current: Option<f64>,
    as_of: Option<Date>,
    deadline: default!(Option<Date>, "NULL"),
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Option<GoalForecast>, ErrorReport> {
    let (Some(target), Some(direction), Some(as_of)) = (target, direction, as_of.and_then(to_epoch_day))
    else {
        return Ok(None);
    };
    let direction: Direction = direction.parse().map_err(Error::Label)?;
    let line = r.map(Fitted::line).transpose()?.unwrap_or_default();
    let forecast = welltrack_core::forecast::forecast(&line, &Goal { target, direction, current, as_of });
    let (projected, low, high, confidence) = match forecast {
        Forecast::OnTrack { projected, low, high, confidence } => {
            (Some(projected), Some(low), high, Some(confidence))
        }
        Forecast::BeyondHorizon { confidence } => (None, None, None, Some(confidence)),
        Forecast::Reached | Forecast::NotConverging | Forecast::TooFewPoints => (None, None, None, None),
    };
    let date = |day: Option<EpochDay>| day.and_then(from_epoch_day).into_datum();
    let columns = [
        forecast.status(deadline.and_then(to_epoch_day)).label().into_datum(),
        date(projected),
        date(low),
        date(high),
        confidence.into_datum(),
    ];
    Ok(Some(GoalForecast(row(fcinfo, columns)?)))
}

/// A forecast in a sentence or two, in English.
///
/// Arguments: the metric's label, the status of a forecast (also `calibrating`), latest and target value in the metric's
/// unit, change per day, the dates and the confidence of the forecast, `imperial` for pounds and miles (anything else is metric), and the goal's deadline. NULL means unknown and is left out of the words; a NULL
/// metric or status gives NULL.
///
/// Errors: 22023 for an unknown metric or status. Source: `welltrack_core::narrative`.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::too_many_arguments, reason = "the columns of a forecast")]
fn forecast_narrative(
    metric_type: Option<&str>,
    status: Option<&str>,
    current_value: Option<f64>,
    target_value: Option<f64>,
    slope_per_day: Option<f64>,
    projected_date: Option<Date>,
    projected_low: Option<Date>,
    projected_high: Option<Date>,
    confidence: Option<f64>,
    units: default!(Option<&str>, "'metric'"),
    deadline: default!(Option<Date>, "NULL"),
) -> Result<Option<String>, ErrorReport> {
    let (Some(metric_type), Some(status)) = (metric_type, status) else { return Ok(None) };
    Ok(Some(narrative::narrative(&narrative::Story {
        metric: metric(metric_type)?,
        status: status.parse::<Status>().map_err(Error::Label)?,
        current: current_value,
        target: target_value,
        slope_per_day,
        projected: projected_date.and_then(to_epoch_day),
        low: projected_low.and_then(to_epoch_day),
        high: projected_high.and_then(to_epoch_day),
        deadline: deadline.and_then(to_epoch_day),
        confidence,
        imperial: units == Some("imperial"),
    })))
}

/// Where recovery scores are heading, in a sentence, in English: up, down, or neither at the 5% level.
///
/// `scores` is a line through recovery scores over days; `my_daily_summary` takes those of the last 30. NULL for NULL, and with fewer
/// than three scores.
///
/// Source: `welltrack_core::narrative`.
#[pg_extern(immutable, strict, parallel_safe, requires = ["regression_types"])]
fn recovery_narrative(scores: Fitted) -> Result<Option<String>, ErrorReport> {
    Ok(narrative::recovery_narrative(&scores.line()?).map(str::to_owned))
}
