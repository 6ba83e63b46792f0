//! Tests that need Postgres: what SQL sees of each function, as whom, with which SQLSTATE. The rules themselves are
//! tested in `core`.

mod app_batch;
mod catalogue;
mod changed_columns;
mod dedupe;
mod ids;
mod json_text;
mod limits;
mod metric;
mod provider;
mod recovery;
mod regression;
mod retry;
mod signup;

use pgrx::prelude::*;

/// The SQLSTATE with which a statement fails; `00000` if it doesn't.
fn sqlstate(statement: &str) -> String {
    Spi::run(
        "create or replace function pg_temp.sqlstate_of(statement text) returns text language plpgsql as $$
         begin
           execute statement;
           return '00000';
         exception when others then
           return sqlstate;
         end $$",
    )
    .expect("the helper can be created");
    text("select pg_temp.sqlstate_of($1)", &[statement.into()]).expect("a state")
}

/// The only value of the only row, as text.
fn text(query: &str, args: &[pgrx::datum::DatumWithOid<'_>]) -> Option<String> {
    Spi::get_one_with_args(query, args).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Runs statements that must succeed.
fn run(statements: &str) {
    Spi::run(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
}
