//! WellTrack's rules as Postgres functions, in schema `welltrack`.
//!
//! Promises: every function is a thin wrapper over `welltrack_core`, says truthfully how volatile, strict and parallel
//! it is, runs with the rights of its caller and answers bad input with an SQLSTATE. Stops at functions: tables, rights
//! and jobs are the migrations', so that `pg_dump` and `supabase db reset` see them.

#![allow(
    clippy::result_large_err,
    reason = "pgrx's ErrorReport is that large, and only it carries an SQLSTATE"
)]

mod app_batch;
mod changed_columns;
mod composite;
mod convert;
mod dedupe;
mod error;
mod forecast;
mod ids;
mod json_text;
mod limits;
mod metric;
mod provider;
mod recovery;
mod regression;
mod retry;
mod signup;
mod state;
mod training;
mod validate;

::pgrx::pg_module_magic!();

#[cfg(any(test, feature = "pg_test"))]
mod tests;

/// What `cargo pgrx test` asks of an extension.
#[cfg(test)]
pub mod pg_test {
    /// Called once before the tests.
    pub fn setup(_options: Vec<&str>) {}

    /// Settings of the test server; none are needed.
    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec![]
    }
}
