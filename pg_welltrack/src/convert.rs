//! Between Postgres's values and `welltrack_core`'s.
//!
//! Promises: nothing is lost on the way, and nothing here panics. Stops at values: what they mean is core's.

use std::ffi::CString;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::prelude::*;
use pgrx::{Uuid, direct_function_call_as_datum, impl_sql_translatable, varlena};
use welltrack_core::UnixMicros;
use welltrack_core::forecast::EpochDay;

/// Postgres counts from 2000-01-01, everybody else from 1970-01-01: the microseconds between.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The infinities stay the largest and the smallest instant, which every rule of core refuses.
pub(crate) fn to_unix(time: TimestampWithTimeZone) -> UnixMicros {
    match i64::from(time) {
        i64::MIN => i64::MIN,
        micros => micros.saturating_add(POSTGRES_EPOCH),
    }
}

/// `None` where Postgres has no such instant.
pub(crate) fn from_unix(micros: UnixMicros) -> Option<TimestampWithTimeZone> {
    micros.checked_sub(POSTGRES_EPOCH)?.try_into().ok()
}

/// The days between the two epochs.
const POSTGRES_EPOCH_DAY: EpochDay = 10_957;

/// `None` for the infinities.
pub(crate) fn to_epoch_day(date: Date) -> Option<EpochDay> {
    date.is_finite().then(|| date.to_pg_epoch_days().saturating_add(POSTGRES_EPOCH_DAY))
}

/// `None` where Postgres has no such day.
pub(crate) fn from_epoch_day(day: EpochDay) -> Option<Date> {
    day.checked_sub(POSTGRES_EPOCH_DAY)?.try_into().ok()
}

pub(crate) fn uuid(id: Uuid) -> uuid::Uuid {
    uuid::Uuid::from_bytes(*id.as_bytes())
}

/// A `jsonb` of text that our own code wrote.
#[expect(unsafe_code, reason = "calls the type's input function")]
pub(crate) fn jsonb(text: &str) -> Option<pg_sys::Datum> {
    let text = CString::new(text).ok()?;
    // SAFETY: the input function takes a C string, which outlives the call.
    unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
}

/// 32 bytes that leave as `bytea`, copied once into memory that Postgres owns.
pub(crate) struct Hash(pub(crate) [u8; 32]);

impl_sql_translatable!(Hash, "bytea");

impl IntoDatum for Hash {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        varlena::rust_byte_slice_to_bytea(&self.0).into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::BYTEAOID
    }
}

#[expect(unsafe_code, reason = "the trait is unsafe; the datum is the bytea that the SQL declares")]
unsafe impl BoxRet for Hash {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: the datum was allocated in the caller's memory context just now.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}
