//! `dedupe_hash`, `dedupe_text`, `enum_label`: the identity of a reading.
//!
//! All are IMMUTABLE and cheap, so that a generated column can call them for every row.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{Uuid, enum_helper, impl_sql_translatable};
use welltrack_core::dedupe::Identity;

use crate::convert::{Hash, to_unix, uuid};
use crate::error::Error;

/// The SHA-256 that names a reading: 32 bytes, the same in every implementation.
///
/// Arguments: whose reading it is, the labels of source and metric, and the period in which it was taken; a time may be
/// NULL, any other NULL gives NULL. Labels are hashed as given (1 to 63 bytes, no `|`) and not looked up, so that a
/// label that is newer than the extension works.
///
/// Errors: 22008 for a time outside the years 1 to 9999, the infinities included; 22023 for an impossible label.
///
/// Source: data model, "The dedupe hash"; test vectors in `core/vectors/dedupe_hash.json`.
#[pg_extern(immutable, parallel_safe, cost = 2)]
fn dedupe_hash(
    user_id: Option<Uuid>,
    profile_id: Option<Uuid>,
    source: Option<&str>,
    metric_type: Option<&str>,
    start_time: Option<TimestampWithTimeZone>,
    end_time: Option<TimestampWithTimeZone>,
) -> Result<Option<Hash>, ErrorReport> {
    match identity(user_id, profile_id, source, metric_type, start_time, end_time) {
        Some(identity) => Ok(Some(Hash(identity.hash().map_err(Error::Identity)?))),
        None => Ok(None),
    }
}

/// The canonical text of which `dedupe_hash` is the SHA-256; the same arguments and errors.
///
/// For looking at what two implementations disagree about.
#[pg_extern(immutable, parallel_safe, cost = 2)]
fn dedupe_text(
    user_id: Option<Uuid>,
    profile_id: Option<Uuid>,
    source: Option<&str>,
    metric_type: Option<&str>,
    start_time: Option<TimestampWithTimeZone>,
    end_time: Option<TimestampWithTimeZone>,
) -> Result<Option<String>, ErrorReport> {
    match identity(user_id, profile_id, source, metric_type, start_time, end_time) {
        Some(identity) => {
            let text = identity.canonical_text().map_err(Error::Identity)?;
            Ok(Some(String::from_utf8_lossy(text.as_bytes()).into_owned()))
        }
        None => Ok(None),
    }
}

fn identity<'a>(
    user_id: Option<Uuid>,
    profile_id: Option<Uuid>,
    source: Option<&'a str>,
    metric_type: Option<&'a str>,
    start_time: Option<TimestampWithTimeZone>,
    end_time: Option<TimestampWithTimeZone>,
) -> Option<Identity<'a>> {
    Some(Identity {
        user_id: uuid(user_id?),
        profile_id: uuid(profile_id?),
        source: source?,
        metric_type: metric_type?,
        start_time: start_time.map(to_unix),
        end_time: end_time.map(to_unix),
    })
}

/// A value of whatever enum type: its row in `pg_enum`.
struct AnyEnum(pg_sys::Oid);

impl_sql_translatable!(AnyEnum, arg_only = "anyenum");

#[expect(unsafe_code, reason = "the trait is unsafe; an enum value is passed as its oid")]
unsafe impl<'fcx> ArgAbi<'fcx> for AnyEnum {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: Postgres resolves `anyenum` to enum types only, whose values are oids.
        AnyEnum(unsafe { pg_sys::Oid::unbox_arg_unchecked(arg) })
    }
}

/// The label of an enum value, as text.
///
/// What `value::text` gives, but IMMUTABLE, so that a generated column may hash it. That is true as long as nobody
/// renames a label (`alter type ... rename value`): stored hashes would then need to be built anew.
///
/// Errors: 22P03 for a value that its type no longer has.
///
/// Source: `pg_enum.enumlabel`, through the catalogue cache.
#[pg_extern(immutable, strict, parallel_safe)]
fn enum_label(value: AnyEnum) -> String {
    enum_helper::lookup_enum_by_oid(value.0).0
}
