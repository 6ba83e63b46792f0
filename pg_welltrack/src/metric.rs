//! `metrics`, `canonical_unit`, `to_canonical`, `source_priority`, `daily_aggregate`, `day_anchor`, `grows_during_day`:
//! the facts about metrics and sources.
//!
//! All of them read the table in `welltrack_core::metric`. Labels are text, so that the extension may be older or newer
//! than the schema's enum types; an unknown label is an error.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::metric::METRICS;
use welltrack_core::{MetricType, Source, units};

use crate::error::Error;

/// Every metric with its facts, one row each in the order of the database's enum.
///
/// `lowest` and `highest` are the ends of the plausible range, both included, in `unit`; `day_anchor` is the end of a
/// reading's period that decides its day; `log_keys` is a regular expression of the keys under which a log's context may
/// hold a value of it; `name` is for people to read.
///
/// Source: `welltrack_core::metric::METRICS`.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns' names from this type")]
fn metrics() -> TableIterator<
    'static,
    (
        name!(metric_type, &'static str),
        name!(name, &'static str),
        name!(unit, &'static str),
        name!(lowest, f64),
        name!(highest, f64),
        name!(daily_aggregate, &'static str),
        name!(day_anchor, &'static str),
        name!(grows_during_day, bool),
        name!(log_keys, &'static str),
    ),
> {
    TableIterator::new(METRICS.iter().map(|spec| {
        (
            spec.label,
            spec.words.name,
            spec.unit.symbol(),
            spec.range.0,
            spec.range.1,
            spec.aggregate.label(),
            spec.anchor.label(),
            spec.grows_during_day(),
            spec.log_keys,
        )
    }))
}

/// The unit in which a metric is stored, such as `kg`.
///
/// Errors: 22023 for an unknown metric. Source: data model, "Metrics: canonical units and ranges".
#[pg_extern(immutable, strict, parallel_safe)]
fn canonical_unit(metric_type: &str) -> Result<&'static str, ErrorReport> {
    Ok(metric(metric_type)?.spec().unit.symbol())
}

/// A value in the unit in which its metric is stored.
///
/// Arguments: the metric's label, a value, the unit it is in (NULL: the stored one) and the source's label, which
/// matters for HealthKit's percentages (0..1; NULL: some other source). A NULL metric or value gives NULL.
///
/// Errors: 22023 for an unknown metric, source or unit, with the accepted units as hint; 22003 for NaN, an infinity or
/// a result that is too large.
///
/// Source: `welltrack_core::units`.
#[pg_extern(immutable, parallel_safe)]
fn to_canonical(
    metric_type: Option<&str>,
    value: Option<f64>,
    unit: Option<&str>,
    source: Option<&str>,
) -> Result<Option<f64>, ErrorReport> {
    let (Some(metric_type), Some(value)) = (metric_type, value) else { return Ok(None) };
    let source = source.map(str::parse::<Source>).transpose().map_err(Error::Label)?;
    let converted = units::to_canonical(metric(metric_type)?, value, unit, source).map_err(Error::Unit)?;
    Ok(Some(converted))
}

/// How much a source's word counts where several measured the same day: the lowest number speaks for it.
///
/// garmin 1, healthkit 2, health_connect 3, strava 4, manual 5: a device worn all day before a phone's aggregate before
/// single activities before typed values.
///
/// Errors: 22023 for an unknown source. Source: `welltrack_core::Source::priority`.
#[pg_extern(immutable, strict, parallel_safe)]
fn source_priority(source: &str) -> Result<i32, ErrorReport> {
    Ok(source.parse::<Source>().map_err(Error::Label)?.priority().into())
}

/// How the readings of a day add up: `sum` or `mean`.
///
/// Errors: 22023 for an unknown metric. Source: `welltrack_core::metric::METRICS`.
#[pg_extern(immutable, strict, parallel_safe)]
fn daily_aggregate(metric_type: &str) -> Result<&'static str, ErrorReport> {
    Ok(metric(metric_type)?.spec().aggregate.label())
}

/// Whether the day's value grows until the day is over: true for steps, calories, distance and active minutes.
///
/// Errors: 22023 for an unknown metric. Source: `welltrack_core::metric::METRICS`.
#[pg_extern(immutable, strict, parallel_safe)]
fn grows_during_day(metric_type: &str) -> Result<bool, ErrorReport> {
    Ok(metric(metric_type)?.spec().grows_during_day())
}

/// The instant whose local day a reading counts for: sleep belongs to the day of waking (its end), all else to the day
/// on which it began. A sleep without an end counts by its start; a NULL metric, or no time at all, gives NULL.
///
/// Errors: 22023 for an unknown metric. Source: `welltrack_core::metric::METRICS`.
#[pg_extern(immutable, parallel_safe)]
fn day_anchor(
    metric_type: Option<&str>,
    start_time: Option<TimestampWithTimeZone>,
    end_time: Option<TimestampWithTimeZone>,
) -> Result<Option<TimestampWithTimeZone>, ErrorReport> {
    let Some(metric_type) = metric_type else { return Ok(None) };
    Ok(metric(metric_type)?.day_anchor(start_time, end_time))
}

pub(crate) fn metric(label: &str) -> Result<MetricType, Error> {
    label.parse().map_err(Error::Label)
}
