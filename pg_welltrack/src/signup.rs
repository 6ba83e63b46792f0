//! `is_timezone` and `handle_new_user`: what a sign-up (flow 1) writes.
//!
//! A sign-up never fails because of its metadata. Default modules and onboarding are the schema's.

use std::convert::Infallible;
use std::ffi::{CStr, CString};

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::trigger_support::{PgTriggerLevel, PgTriggerOperation, PgTriggerWhen};
use pgrx::{AllocatedByPostgres, Uuid};
use welltrack_core::{signup, timezone};

use crate::error::Error;

/// Whether a text is an IANA time zone name that this server knows, such as `Europe/Berlin` or `UTC`.
///
/// POSIX rules (`EST5EDT4`), offsets and abbreviations are not, nor are the four zones that `at time zone` would take for
/// abbreviations (`CET`, `EET`, `MET`, `WET`). Capitals don't matter, as for `at time zone`. STABLE,
/// since it looks at the server's zone files.
///
/// Errors: none. Source: `pg_tzset`, which is what `set timezone` asks.
#[pg_extern(stable, strict, parallel_safe)]
fn is_timezone(name: &str) -> bool {
    timezone::is_iana_shaped(name) && server_knows(name)
}

#[expect(unsafe_code, reason = "calls the server's own look-up")]
fn server_knows(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: a terminated string, which pg_tzset copies; its answer lives as long as the server process.
    let zone = unsafe { pg_sys::pg_tzset(name.as_ptr()) };
    // SAFETY: pg_tzset's own answer. Zones that count leap seconds don't fit Postgres's clock.
    !zone.is_null() && unsafe { pg_sys::pg_tz_acceptable(zone) }
}

/// Trigger for `after insert on auth.users, for each row`: the person's `wt_users` row and the primary profile.
///
/// Runs with the rights of whoever inserts, which must be allowed to insert into both tables, and inside their
/// transaction: if one row can't be written, there is no sign-up. Columns read: id, email, raw_user_meta_data. What
/// becomes of the metadata: `welltrack_core::signup`.
///
/// Errors: 39P01 when attached to something else than the insert of a row with these columns.
#[pg_trigger]
fn handle_new_user<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, Infallible> {
    // Raised here, because pgrx turns an Err of a trigger into an internal error without its SQLSTATE.
    welcome(trigger).map_err(ErrorReport::from).unwrap_or_report();
    Ok(None)
}

fn welcome(trigger: &PgTrigger<'_>) -> Result<(), Error> {
    let after_insert = matches!(
        (trigger.when(), trigger.op(), trigger.level()),
        (Ok(PgTriggerWhen::After), Ok(PgTriggerOperation::Insert), PgTriggerLevel::Row)
    );
    let account = match trigger.new() {
        Some(row) if after_insert => row,
        _ => return Err(misuse("not after the insert of a row")),
    };
    let id: Option<Uuid> = account.get_by_name("id").map_err(misuse)?;
    let email: Option<String> = account.get_by_name("email").map_err(misuse)?;
    let metadata = jsonb_text(trigger, &account, "raw_user_meta_data")?;

    let person = signup::new_user(metadata.as_deref(), email.as_deref(), is_timezone);
    Spi::run_with_args(
        "insert into public.wt_users (id, display_name, avatar_url, timezone) values ($1, $2, $3, $4)",
        &[id.into(), person.display_name.as_str().into(), person.avatar_url.into(), person.timezone.into()],
    )
    .map_err(misuse)?;
    Spi::run_with_args(
        "insert into public.wt_profiles (user_id, profile_type, display_name, is_primary) \
         values ($1, 'parent', $2, true)",
        &[id.into(), person.display_name.into()],
    )
    .map_err(misuse)
}

// A trigger function can't be called by hand, but whoever may execute it may attach it to a table of their own.
extension_sql!(
    "revoke execute on function handle_new_user() from public;\n\
     grant execute on function handle_new_user() to @extowner@;",
    name = "handle_new_user_is_for_the_extension_owner",
    requires = [handle_new_user]
);

/// A `jsonb` column of the new row as text: pgrx's own type would parse it, and refuses deep nesting.
#[expect(unsafe_code, reason = "reads one attribute of the row that the trigger was given")]
fn jsonb_text(
    trigger: &PgTrigger<'_>,
    row: &PgHeapTuple<'_, AllocatedByPostgres>,
    column: &str,
) -> Result<Option<String>, Error> {
    let (number, attribute) = row
        .get_attribute_by_name(column)
        .ok_or_else(|| misuse(format!("the table has no column {column}")))?;
    if attribute.atttypid != pg_sys::JSONBOID {
        return Err(misuse(format!("{column} is not jsonb")));
    }
    let data = trigger.trigger_data();
    // SAFETY: row and descriptor are those of the firing trigger and outlive this call; the type was just checked.
    let text: Option<&CStr> = unsafe {
        pgrx::htup::heap_getattr_raw(data.tg_trigtuple, number, (*data.tg_relation).rd_att)
            .and_then(|json| pgrx::direct_function_call(pg_sys::jsonb_out, &[Some(json)]))
    };
    Ok(text.map(|text| text.to_string_lossy().into_owned()))
}

fn misuse(problem: impl ToString) -> Error {
    Error::Trigger(problem.to_string())
}
