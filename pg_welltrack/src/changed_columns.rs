//! `changed_columns`: the names of the columns that an update changed.
//!
//! Compares the stored bytes, which costs a fraction of comparing two `to_jsonb` documents. Values that are equal but
//! stored differently (`1.0` and `1.00`) count as changed, as a history should say.

use std::ffi::CStr;
use std::slice;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, PgTupleDesc, varlena};

use crate::error::Error;

/// The names of the columns in which two rows of one table differ, in the table's order; an empty array if in none.
///
/// Arguments: the row before, the row after, and column names to leave out. A NULL argument gives NULL. In a BEFORE
/// trigger generated columns of the new row are still null: leave them out, or use an AFTER trigger. STABLE, since
/// columns may be added between two statements.
///
/// Errors: 42804 where the two are not rows of one type.
#[pg_extern(stable, strict, parallel_safe)]
fn changed_columns(
    old: AnyElement,
    new: AnyElement,
    ignored: Array<'_, &str>,
) -> Result<Vec<String>, ErrorReport> {
    let (old, new) = (Row::read(old)?, Row::read(new)?);
    if old.type_id() != new.type_id() {
        return Err(Error::NotRows.into());
    }
    Ok(old
        .descriptor
        .iter()
        .zip(old.values.iter().zip(&new.values))
        .filter(|(column, (old, new))| !column.attisdropped && !same(**old, **new, column))
        .map(|(column, _)| column.name())
        .filter(|name| !ignored.iter().flatten().any(|ignored| ignored == *name))
        .map(str::to_owned)
        .collect())
}

/// A row taken apart. Values that are passed by reference point into the argument.
struct Row {
    descriptor: PgTupleDesc<'static>,
    values: Vec<Option<pg_sys::Datum>>,
}

impl Row {
    #[expect(unsafe_code, reason = "takes a composite value apart, as every C function does")]
    fn read(row: AnyElement) -> Result<Self, Error> {
        // SAFETY: the type is checked before the value is looked at; the header then names the type that the rest of the
        // value has; the two arrays are as long as the descriptor. What was detoasted lives as long as the call.
        unsafe {
            if !pg_sys::type_is_rowtype(row.oid()) {
                return Err(Error::NotRows);
            }
            let header: pg_sys::HeapTupleHeader = pg_sys::pg_detoast_datum(row.datum().cast_mut_ptr()).cast();
            let mut tuple = pg_sys::HeapTupleData {
                t_len: pgrx::heap_tuple_header_get_datum_length(header) as u32,
                t_data: header,
                ..Default::default()
            };
            let descriptor = PgTupleDesc::from_pg(pg_sys::lookup_rowtype_tupdesc(
                pgrx::heap_tuple_header_get_type_id(header),
                pgrx::heap_tuple_header_get_typmod(header),
            ));
            let mut values = vec![pg_sys::Datum::null(); descriptor.len()];
            let mut nulls = vec![true; descriptor.len()];
            pg_sys::heap_deform_tuple(
                &mut tuple,
                descriptor.as_ptr(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            let values =
                values.into_iter().zip(nulls).map(|(value, null)| (!null).then_some(value)).collect();
            Ok(Row { descriptor, values })
        }
    }

    fn type_id(&self) -> (pg_sys::Oid, i32) {
        (self.descriptor.oid(), self.descriptor.typmod())
    }
}

/// Whether two values of a column are the same bytes, toasted or not: Postgres's `datum_image_eq`.
fn same(
    old: Option<pg_sys::Datum>,
    new: Option<pg_sys::Datum>,
    column: &pg_sys::FormData_pg_attribute,
) -> bool {
    match (old, new) {
        (Some(old), Some(new)) if column.attbyval => old == new,
        (Some(old), Some(new)) => bytes(old, column.attlen) == bytes(new, column.attlen),
        (old, new) => old.is_none() && new.is_none(),
    }
}

/// What a value that is passed by reference consists of.
#[expect(unsafe_code, reason = "a datum is a pointer whose target the column's length describes")]
fn bytes<'a>(value: pg_sys::Datum, length: i16) -> &'a [u8] {
    // SAFETY: a by-reference value of a column points to `length` bytes, to a varlena (-1) or to a C string (-2).
    unsafe {
        match usize::try_from(length) {
            Ok(length) => slice::from_raw_parts(value.cast_mut_ptr(), length),
            Err(_) if length == -1 => {
                let plain = |value| {
                    varlena::varatt_is_4b_u(value)
                        || !varlena::varatt_is_1b_e(value) && varlena::varatt_is_1b(value)
                };
                let value = value.cast_mut_ptr();
                let value = if plain(value) { value } else { pg_sys::pg_detoast_datum_packed(value) };
                varlena::varlena_to_byte_slice(value)
            }
            Err(_) => CStr::from_ptr(value.cast_mut_ptr()).to_bytes(),
        }
    }
}
