//! `linear_regression`: the aggregate that fits a line to readings over time, and `predict`, which reads it.
//!
//! Promises: the answer of `regr_slope`, `regr_intercept` and `regr_r2` with more digits, in any order and split over any
//! number of workers; no NaN. Stops at the line.

use std::num::NonZeroUsize;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::TryFromDatumError;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AllocatedByRust, Internal, IntoDatum, impl_sql_translatable};
use welltrack_core::MICROS_PER_DAY;
use welltrack_core::regression::{LEVELS, Line, Sums};

use crate::composite::{composite, row};
use crate::convert::{from_unix, to_epoch_day, to_unix};
use crate::error::Error;
use crate::state;

extension_sql!(
    "create type regression as (
       n bigint, slope_per_day double precision, intercept double precision, r_squared double precision,
       residual_se double precision, slope_se double precision, mean_x timestamptz, mean_y double precision,
       sxx double precision
     );
     comment on type regression is
       'A least-squares line: n points; slope in units of y per day of 24 hours; intercept, the value at 1970-01-01 UTC; share of the variance explained; standard deviation about the line; standard error of the slope; means; sum of squared distances from mean_x in square days.';
     create type prediction as (value double precision, low double precision, high double precision);
     comment on type prediction is 'The value of a line at an instant, and the interval of a single reading there, all in units of y.';",
    name = "regression_types"
);

composite!(RegressionRow, "regression");
composite!(PredictionRow, "prediction");

/// One row of `linear_regression`: a value and when it was.
#[pg_extern(immutable, parallel_safe)]
fn regression_step(
    mut state: Internal,
    y: Option<f64>,
    x: Option<TimestampWithTimeZone>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Internal, ErrorReport> {
    if let (Some(y), Some(x)) = (y, x) {
        if !state.initialized() {
            state = state::begin(fcinfo, Sums::default())?;
        }
        if let Some(sums) = state::known::<Sums>(&mut state) {
            sums.push(y, to_unix(x));
        }
    }
    Ok(state)
}

/// The same with a day, which stands for its midnight in UTC.
#[pg_extern(immutable, parallel_safe)]
fn regression_step_day(
    state: Internal,
    y: Option<f64>,
    x: Option<Date>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Internal, ErrorReport> {
    let x = x.and_then(to_epoch_day).and_then(|day| from_unix(i64::from(day) * MICROS_PER_DAY));
    regression_step(state, y, x, fcinfo)
}

/// What two workers saw, together.
#[pg_extern(immutable, parallel_safe)]
fn regression_combine(
    mut state: Internal,
    mut other: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Internal, ErrorReport> {
    if let Some(other) = state::known::<Sums>(&mut other) {
        match state::known::<Sums>(&mut state) {
            Some(sums) => *sums = sums.merge(other),
            None => state = state::begin(fcinfo, *other)?,
        }
    }
    Ok(state)
}

/// A state on its way from a worker.
#[pg_extern(immutable, strict, parallel_safe)]
fn regression_serial(mut state: Internal) -> Option<Vec<u8>> {
    state::known::<Sums>(&mut state).map(|sums| sums.to_bytes().to_vec())
}

/// A state that has arrived.
#[pg_extern(immutable, strict, parallel_safe)]
fn regression_deserial(bytes: &[u8], _nothing: Internal) -> Result<Internal, ErrorReport> {
    let sums = Sums::from_bytes(bytes).ok_or(Error::NotAggregate)?;
    Ok(state::pass(sums))
}

/// The end of `linear_regression`: always a row, with n = 0 where there was nothing.
#[pg_extern(immutable, parallel_safe, requires = ["regression_types"])]
fn regression_result(
    mut state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<RegressionRow, ErrorReport> {
    let line = state::known::<Sums>(&mut state).map(|sums| sums.line()).unwrap_or_default();
    // Without a point there is no mean, without two different times no spread.
    let some = line.points > 0;
    let columns = [
        i64::try_from(line.points).unwrap_or(i64::MAX).into_datum(),
        line.slope.into_datum(),
        line.intercept.into_datum(),
        line.r_squared.into_datum(),
        line.residual_se.into_datum(),
        line.slope_se.into_datum(),
        some.then(|| from_unix(line.mean_x.round() as i64)).flatten().into_datum(),
        some.then_some(line.mean_y).into_datum(),
        line.slope.map(|_| line.sxx).into_datum(),
    ];
    Ok(RegressionRow(row(fcinfo, columns)?))
}

extension_sql!(
    "create aggregate linear_regression(y double precision, x timestamptz) (
       sfunc = regression_step, stype = internal, sspace = 128, finalfunc = regression_result,
       combinefunc = regression_combine, serialfunc = regression_serial, deserialfunc = regression_deserial,
       parallel = safe
     );
     comment on aggregate linear_regression(double precision, timestamptz) is
       'The least-squares line of y over time. Nulls, NaN and infinities are passed over; n says how many points counted.';
     create aggregate linear_regression(y double precision, x date) (
       sfunc = regression_step_day, stype = internal, sspace = 128, finalfunc = regression_result,
       combinefunc = regression_combine, serialfunc = regression_serial, deserialfunc = regression_deserial,
       parallel = safe
     );
     comment on aggregate linear_regression(double precision, date) is
       'The least-squares line of y over days, each of them its midnight in UTC.';",
    name = "linear_regression",
    requires = [
        regression_step,
        regression_step_day,
        regression_combine,
        regression_serial,
        regression_deserial,
        regression_result
    ]
);

/// What a line says about an instant: its value, and the interval in which a single reading at that instant falls with
/// probability `level`, all in units of y.
///
/// `low` and `high` are NULL with fewer than three points. NULL without a slope, at an infinite time, and for a NULL
/// argument.
///
/// Errors: 22023 for a level outside 0.01..0.9999. Source: `welltrack_core::regression::Line::predict`.
#[pg_extern(immutable, strict, parallel_safe, requires = ["regression_types"])]
fn predict(
    r: Fitted,
    at: TimestampWithTimeZone,
    level: default!(f64, 0.95),
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Option<PredictionRow>, ErrorReport> {
    if !(LEVELS.0..=LEVELS.1).contains(&level) {
        return Err(Error::Level(level).into());
    }
    let at = to_unix(at);
    if at == i64::MIN || at == i64::MAX {
        return Ok(None);
    }
    let Some(prediction) = r.line()?.predict(at, level) else { return Ok(None) };
    let (low, high) = prediction.interval.unzip();
    let columns = [prediction.value.into_datum(), low.into_datum(), high.into_datum()];
    Ok(Some(PredictionRow(row(fcinfo, columns)?)))
}

/// A `regression` that comes in as an argument.
pub(crate) struct Fitted(Result<Line, Error>);

impl_sql_translatable!(Fitted, "regression");

#[expect(unsafe_code, reason = "the trait is unsafe; the datum is the row that the SQL declares")]
unsafe impl<'fcx> ArgAbi<'fcx> for Fitted {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as the trait asks of the caller.
        let row = unsafe { PgHeapTuple::unbox_arg_unchecked(arg) };
        Fitted(read(&row).map_err(|_| Error::OtherType))
    }
}

impl Fitted {
    pub(crate) fn line(self) -> Result<Line, Error> {
        self.0
    }
}

/// Whatever somebody has written into a `regression` by hand, core can bear it. The columns are taken by their places in the type:
/// looking for their names took as long as the forecast.
fn read(row: &PgHeapTuple<'_, AllocatedByRust>) -> Result<Line, TryFromDatumError> {
    let column = |index| NonZeroUsize::MIN.saturating_add(index);
    let points = row.get_by_index::<i64>(column(0))?;
    let mean_x = row.get_by_index::<TimestampWithTimeZone>(column(6))?;
    Ok(Line {
        points: points.and_then(|points| u64::try_from(points).ok()).unwrap_or_default(),
        slope: row.get_by_index(column(1))?,
        intercept: row.get_by_index(column(2))?,
        r_squared: row.get_by_index(column(3))?,
        residual_se: row.get_by_index(column(4))?,
        slope_se: row.get_by_index(column(5))?,
        mean_x: mean_x.map_or(0.0, |mean| to_unix(mean) as f64),
        mean_y: row.get_by_index(column(7))?.unwrap_or_default(),
        sxx: row.get_by_index(column(8))?.unwrap_or_default(),
    })
}
