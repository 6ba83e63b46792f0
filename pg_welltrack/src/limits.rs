//! `size_limit`: the limits that SQL shares with the rest of the project.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::limits;

use crate::error::Error;

/// A limit by its name: `batch_records` (records in one batch of the app), `record_bytes` (one of them, as JSON text),
/// `stored_record_bytes` (one of them, as `jsonb`), `batch_bytes` (the batch, as `jsonb`), `batch_text_bytes` (the batch, as text).
///
/// Errors: 22023 for an unknown name. Source: `welltrack_core::limits`.
#[pg_extern(immutable, strict, parallel_safe)]
fn size_limit(name: &str) -> Result<i64, ErrorReport> {
    let limit = limits::named(name).map_err(Error::Label)?;
    Ok(i64::try_from(limit).unwrap_or(i64::MAX))
}
