//! `longer_period_wins`, `same_start_is_same_reading`, `reported_at`, `farewell`: what differs between providers.
//!
//! All read the table in `welltrack_core::providers`, so that no SQL names a provider. Labels are text, as in `metric`.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use welltrack_core::providers::Provider;

use crate::error::Error;

/// Whether of two reports of equal finality about one reading the one about the longer period counts before the later one.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::providers::ProviderRules`.
#[pg_extern(immutable, strict, parallel_safe)]
fn longer_period_wins(source: &str) -> Result<bool, ErrorReport> {
    Ok(provider(source)?.rules().longer_period_wins)
}

/// Whether records that begin at the same instant are one reading under a new name.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::providers::ProviderRules`.
#[pg_extern(immutable, strict, parallel_safe)]
fn same_start_is_same_reading(source: &str) -> Result<bool, ErrorReport> {
    Ok(provider(source)?.rules().same_start_is_same_reading)
}

/// When a report was true: at the `receipt` of its event, or at its `processing`, when the provider was asked.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::providers::ProviderRules`.
#[pg_extern(immutable, strict, parallel_safe)]
fn reported_at(source: &str) -> Result<&'static str, ErrorReport> {
    Ok(provider(source)?.rules().reported_at.label())
}

/// Whether an event ends a connection or changes its scope, so that it has nothing left to do where nobody is connected:
/// an SQL/JSON path that finds something in the payload of such an event; NULL for every other type of event.
///
/// Errors: 22023 for an unknown provider. Source: `welltrack_core::providers::ProviderRules`.
#[pg_extern(immutable, strict, parallel_safe)]
fn farewell(source: &str, event_type: &str) -> Result<Option<String>, ErrorReport> {
    Ok(provider(source)?.farewell(event_type).map(str::to_owned))
}

pub(crate) fn provider(label: &str) -> Result<Provider, Error> {
    label.parse().map_err(Error::Label)
}
