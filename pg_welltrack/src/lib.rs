//! WellTrack's rules as Postgres functions, in schema `welltrack`.
//!
//! Promises: every function is a thin wrapper over `welltrack_core`, says truthfully how volatile, strict and parallel
//! it is, runs with the rights of its caller and answers bad input with an SQLSTATE. Stops at functions: tables, rights
//! and jobs are the migrations', so that `pg_dump` and `supabase db reset` see them.

#![allow(
    clippy::result_large_err,
    reason = "pgrx's ErrorReport is that large, and only it carries an SQLSTATE"
)]

mod composite;
mod convert;
mod error;
mod forecast;
mod identity;
mod ids;
mod json_text;
mod metrics;
mod native;
mod people;
mod plausible;
mod queue;
mod recovery;
mod regression;
mod rows;
mod state;
mod training;

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
