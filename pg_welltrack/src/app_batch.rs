//! `native_metrics`: the app's batch as rows.

use pgrx::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::providers::app_batch::{RecordOutcome, parse};

use crate::convert::{Hash, from_unix, uuid};
use crate::error::Error;

/// What every record of the app's batch becomes: one row a record, in order.
///
/// Arguments: whose batch it is, and the batch as JSON text: `{"source", "ingestion_version", "records": [...]}` or the
/// bare array, at most 10,000 records. `ordinal` counts records from 0; `outcome` is `row` (to be stored: values in
/// canonical units, `dedupe_hash` filled), `rejected` (then `reason` is `code: sentence`) or `merged` (part of, or
/// overtaken by, another record of the batch, which `reason` names). No two rows share a period or a provider's id
/// within their source and metric. A NULL argument gives no rows.
///
/// Errors: 22023 for what is no batch, 54000 for too many records. A bad record is never an error.
///
/// Source: `welltrack_core::providers::app_batch`.
#[pg_extern(immutable, strict, parallel_safe, cost = 1000)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns' names from this type")]
fn native_metrics<'a>(
    user_id: Uuid,
    profile_id: Uuid,
    payload: &'a str,
) -> Result<
    TableIterator<
        'a,
        (
            name!(ordinal, i32),
            name!(outcome, &'static str),
            name!(reason, Option<String>),
            name!(source, Option<&'static str>),
            name!(metric_type, Option<&'static str>),
            name!(value_num, Option<f64>),
            name!(value_text, Option<String>),
            name!(unit, Option<&'static str>),
            name!(start_time, Option<TimestampWithTimeZone>),
            name!(end_time, Option<TimestampWithTimeZone>),
            name!(recorded_at, Option<TimestampWithTimeZone>),
            name!(source_record_id, Option<String>),
            name!(ingestion_version, Option<String>),
            name!(dedupe_hash, Option<Hash>),
        ),
    >,
    ErrorReport,
> {
    let (user_id, profile_id) = (uuid(user_id), uuid(profile_id));
    let batch = parse(payload).map_err(Error::Batch)?;
    let version = batch.ingestion_version;
    Ok(TableIterator::new((0..).zip(batch.outcomes).map(move |(ordinal, outcome)| match outcome {
        RecordOutcome::Row(row) => (
            ordinal,
            "row",
            None,
            Some(row.source.label()),
            Some(row.metric.label()),
            Some(row.value_num),
            row.value_text.as_deref().map(str::to_owned),
            Some(row.metric.spec().unit.symbol()),
            from_unix(row.start_time),
            from_unix(row.end_time),
            row.recorded_at.and_then(from_unix),
            row.source_record_id.as_deref().map(str::to_owned),
            version.as_deref().map(str::to_owned),
            // Labels and times of a row are in range, so there always is a hash.
            row.identity(user_id, profile_id).hash().ok().map(Hash),
        ),
        RecordOutcome::Rejected(reason) => without_row(ordinal, "rejected", reason.to_string()),
        RecordOutcome::Merged { into } => {
            without_row(ordinal, "merged", format!("merged into record {into}"))
        }
    })))
}

/// What a row of `native_metrics` consists of, in the order of its columns.
type Columns = (
    i32,
    &'static str,
    Option<String>,
    Option<&'static str>,
    Option<&'static str>,
    Option<f64>,
    Option<String>,
    Option<&'static str>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<String>,
    Option<String>,
    Option<Hash>,
);

fn without_row(ordinal: i32, outcome: &'static str, reason: String) -> Columns {
    (ordinal, outcome, Some(reason), None, None, None, None, None, None, None, None, None, None, None)
}
