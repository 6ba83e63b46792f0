//! `validate_metric`: whether a stored reading is plausible.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::validate::{Reading, validate};

use crate::convert::to_unix;
use crate::metric::metric;

/// Judges one stored reading: one row, `('validated', NULL)` or `('rejected', reason)`.
///
/// Arguments: the metric's label, its value in the canonical unit, its text (`120/80`, `rmssd`, `unavailable`), its
/// period, and when it was recorded (NULL: now). A reason is `code: sentence`, such as `out_of_range: steps 200000 is
/// outside 0..100000 count`. A reading from the future (more than a day after it was recorded, or after the start of
/// this transaction) is rejected, hence STABLE.
///
/// Errors: 22023 for an unknown metric; NULL as metric counts as unknown.
///
/// Source: data model, "Metrics: canonical units and ranges", as written down in `welltrack_core::validate`.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns' names from this type")]
fn validate_metric(
    metric_type: Option<&str>,
    value_num: Option<f64>,
    value_text: Option<&str>,
    start_time: Option<TimestampWithTimeZone>,
    end_time: Option<TimestampWithTimeZone>,
    recorded_at: Option<TimestampWithTimeZone>,
) -> Result<TableIterator<'static, (name!(status, &'static str), name!(reason, Option<String>))>, ErrorReport>
{
    let reading = Reading {
        metric: metric(metric_type.unwrap_or_default())?,
        value_num,
        value_text,
        start_time: start_time.map(to_unix),
        end_time: end_time.map(to_unix),
        recorded_at: recorded_at.map(to_unix),
    };
    Ok(TableIterator::once(match validate(&reading, to_unix(transaction_timestamp())) {
        Ok(()) => ("validated", None),
        Err(reason) => ("rejected", Some(reason.to_string())),
    }))
}

// The planner would otherwise expect a thousand rows of every call.
extension_sql!(
    "alter function validate_metric rows 1;",
    name = "validate_metric_returns_one_row",
    requires = [validate_metric]
);
