//! `recovery`: the aggregate that turns daily values, a month's and older ones, into one day's score, and
//! `recovery_curves`, which says how.
//!
//! Promises: one pass, nothing allocated per row, the same answer in any order of rows. Stops at the answer: which
//! days to score, how far back to read, and where scores are kept, is the schema's.

use std::cell::OnceCell;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{Internal, IntoDatum, PgMemoryContexts};
use welltrack_core::recovery::{CURVES, Day, FORMULA_VERSION, Inputs, Recovery, Window};

use crate::composite::{composite, row, row_within};
use crate::convert::jsonb;
use crate::error::Error;
use crate::state;

extension_sql!(
    "create type recovery_inputs as (
       stress_score double precision, sleep_minutes double precision, sleep_target_hours double precision,
       resting_hr_bpm double precision, hr_baseline_bpm double precision, hr_spread_bpm double precision,
       hr_baseline_days integer, load_7d double precision, load_baseline_7d double precision, load_history_days integer,
       input_days integer
     );
     comment on type recovery_inputs is
       'What a recovery score was made of: scores, minutes, hours, beats per minute, training loads (minutes x intensity), days; null where nothing was measured.';
     create type recovery_day as (
       status text, days_missing integer, stress_component double precision, sleep_component double precision,
       hr_component double precision, load_component double precision, recovery_score double precision,
       weights_used jsonb, missing_inputs text[], raw_data recovery_inputs
     );
     comment on type recovery_day is
       'A day''s score: days that a baseline still lacks; components and score in points, 0 to 100, null where an input is missing; shares of the weights, adding up to 1; what is missing; what went in.';",
    name = "recovery_day"
);

composite!(RecoveryDay, "recovery_day");

/// What one group asks, and what it has heard so far.
#[derive(Clone, Copy)]
struct Group {
    score_date: i32,
    window: Window,
}

/// One row of `recovery`: a day's values.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::too_many_arguments, reason = "they are the aggregate's arguments")]
fn recovery_step(
    mut state: Internal,
    score_date: Option<Date>,
    sleep_target_hours: Option<f64>,
    local_date: Option<Date>,
    stress: Option<f64>,
    sleep: Option<f64>,
    hr: Option<f64>,
    training_load: Option<f64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Internal, ErrorReport> {
    let (Some(score_date), Some(sleep_target_hours), Some(local_date)) =
        (score_date, sleep_target_hours, local_date)
    else {
        return Ok(state);
    };
    // An infinite date is no day.
    if local_date.is_infinity() || local_date.is_neg_infinity() {
        return Ok(state);
    }
    let score_date = score_date.to_pg_epoch_days();
    if !state.initialized() {
        let window = Window::new(sleep_target_hours).map_err(Error::Window)?;
        state = state::begin(fcinfo, Group { score_date, window })?;
    }
    if let Some(group) = state::known::<Group>(&mut state) {
        if group.score_date != score_date || group.window.sleep_target_hours() != sleep_target_hours {
            return Err(Error::OtherDay.into());
        }
        let days_before = i64::from(score_date) - i64::from(local_date.to_pg_epoch_days());
        let day = Day { stress, sleep, hr, load: training_load };
        group.window.insert(days_before, day).map_err(Error::Window)?;
    }
    Ok(state)
}

/// The end of `recovery`: NULL where nothing is known about the day.
#[pg_extern(immutable, parallel_safe, requires = ["recovery_day"])]
fn recovery_result(
    mut state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Option<RecoveryDay>, ErrorReport> {
    let Some(recovery) = state::known::<Group>(&mut state).and_then(|group| group.window.score()) else {
        return Ok(None);
    };
    let [stress, sleep, hr, load] = recovery.components.map(IntoDatum::into_datum);
    let [weights, missing] = described(&recovery);
    let columns = [
        recovery.status.label().into_datum(),
        i32::try_from(recovery.days_missing).ok().into_datum(),
        stress,
        sleep,
        hr,
        load,
        recovery.score.into_datum(),
        weights,
        missing,
        Some(row_within(fcinfo, RAW_DATA, inputs(&recovery.inputs))?),
    ];
    Ok(Some(RecoveryDay(row(fcinfo, columns)?)))
}

/// The place of `raw_data` in a `recovery_day`.
const RAW_DATA: usize = 9;

/// The columns of `recovery_inputs`.
fn inputs(inputs: &Inputs) -> [Option<pg_sys::Datum>; 11] {
    let days = |days: usize| i32::try_from(days).ok().into_datum();
    [
        inputs.stress_score.into_datum(),
        inputs.sleep_minutes.into_datum(),
        inputs.sleep_target_hours.into_datum(),
        inputs.resting_hr_bpm.into_datum(),
        inputs.hr_baseline_bpm.into_datum(),
        inputs.hr_spread_bpm.into_datum(),
        days(inputs.hr_baseline_days),
        inputs.load_7d.into_datum(),
        inputs.load_baseline_7d.into_datum(),
        days(inputs.load_history_days),
        days(inputs.input_days),
    ]
}

/// `weights_used` and `missing_inputs`, which depend on nothing but the components that are there and whether they made a
/// score: 32 pairs, each made once for a session, since making them costs as much as the arithmetic.
#[expect(unsafe_code, reason = "chooses the memory that the values live in")]
fn described(recovery: &Recovery) -> [Option<pg_sys::Datum>; 2] {
    thread_local! {
        static MADE: [OnceCell<[Option<pg_sys::Datum>; 2]>; 32] = const { [const { OnceCell::new() }; 32] };
    }
    let there = recovery.components.iter().map(Option::is_some);
    let index = there.chain([recovery.score.is_some()]).fold(0, |index, bit| index << 1 | usize::from(bit));
    let make = || [jsonb(&recovery.weights_json()), recovery.missing().collect::<Vec<_>>().into_datum()];
    MADE.with(|made| {
        // SAFETY: the memory that the values are made in lasts as long as the process, and so does `MADE`.
        *made[index].get_or_init(|| unsafe { PgMemoryContexts::TopMemoryContext.switch_to(|_| make()) })
    })
}

extension_sql!(
    "create aggregate recovery(
       score_date date, sleep_target_hours double precision, local_date date, stress double precision,
       sleep double precision, hr double precision, training_load double precision
     ) (sfunc = recovery_step, stype = internal, sspace = 2560, finalfunc = recovery_result, parallel = safe);
     comment on aggregate recovery(date, double precision, date, double precision, double precision, double precision,
       double precision) is
       'The recovery score of score_date from one row for each local day, in any order: the 31 days up to it, and before them the last 14 with any input and the last 14 with a heart rate where the month lacks them. sleep_target_hours in hours, stress 0 to 100, sleep in minutes, hr in beats per minute, training_load in minutes x intensity.';",
    name = "recovery",
    requires = [recovery_step, recovery_result]
);

/// How the components of a recovery score are made and weighted, one row each in the order of the formula.
///
/// `weight` is the share when all four are there; `formula` and `source` are for people to read. `formula_version` changes
/// whenever the same inputs could give another score.
///
/// Source: `welltrack_core::recovery::CURVES`.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns' names from this type")]
fn recovery_curves() -> TableIterator<
    'static,
    (
        name!(component, &'static str),
        name!(weight, f64),
        name!(formula, &'static str),
        name!(source, &'static str),
        name!(formula_version, &'static str),
    ),
> {
    TableIterator::new(
        CURVES.iter().map(|curve| (curve.label, curve.weight, curve.formula, curve.source, FORMULA_VERSION)),
    )
}
