//! Rows as results: a value of a composite type, built with one lookup of the type for a whole query.
//!
//! Promises: the columns are those of the type in the catalogue, or it is an error. Stops at building: what the columns
//! hold is said where each type is declared. (pgrx's own `PgHeapTuple` looks the type up by name for every value, which
//! costs more than a recovery score.)

use pgrx::PgMemoryContexts;
use pgrx::prelude::*;

use crate::error::Error;

/// The row `columns` of the type that the function called through `fcinfo` is declared to return.
#[expect(unsafe_code, reason = "reads the function's declaration")]
pub(crate) fn row<const COLUMNS: usize>(
    fcinfo: pg_sys::FunctionCallInfo,
    columns: [Option<pg_sys::Datum>; COLUMNS],
) -> Result<pg_sys::Datum, Error> {
    // SAFETY: the server calls with a valid fcinfo; the descriptor is kept for as long as the query runs.
    unsafe { form(descriptor(fcinfo)?, columns) }
}

/// The row `columns` of the type of one column, counted from 0, of the type that the function is declared to return.
#[expect(unsafe_code, reason = "reads the function's declaration")]
pub(crate) fn row_within<const COLUMNS: usize>(
    fcinfo: pg_sys::FunctionCallInfo,
    column: usize,
    columns: [Option<pg_sys::Datum>; COLUMNS],
) -> Result<pg_sys::Datum, Error> {
    // SAFETY: as above; the descriptor that is looked up is held until the row is made.
    unsafe {
        let whole = descriptor(fcinfo)?;
        let count = usize::try_from((*whole).natts).map_err(|_| Error::OtherType)?;
        let of = (*whole).attrs.as_slice(count).get(column).ok_or(Error::OtherType)?.atttypid;
        let descriptor = pg_sys::lookup_rowtype_tupdesc_noerror(of, -1, true);
        if descriptor.is_null() {
            return Err(Error::OtherType);
        }
        let made = form(descriptor, columns);
        if (*descriptor).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(descriptor);
        }
        made
    }
}

/// # Safety
///
/// `descriptor` is valid. That the columns are of its types is the business of whoever declares the type.
#[expect(unsafe_code, reason = "builds a composite value, as every C function does")]
unsafe fn form<const COLUMNS: usize>(
    descriptor: pg_sys::TupleDesc,
    columns: [Option<pg_sys::Datum>; COLUMNS],
) -> Result<pg_sys::Datum, Error> {
    let mut nulls = columns.map(|column| column.is_none());
    let mut values = columns.map(|column| column.unwrap_or(pg_sys::Datum::null()));
    // SAFETY: as the caller promises; the arrays are as long as the descriptor.
    unsafe {
        if usize::try_from((*descriptor).natts) != Ok(COLUMNS) {
            return Err(Error::OtherType);
        }
        let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        Ok(pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data))
    }
}

/// Kept beside the called function for as long as the query runs.
#[expect(unsafe_code, reason = "asks the function manager")]
unsafe fn descriptor(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::TupleDesc, Error> {
    // SAFETY: `fn_extra` belongs to the called function, and nothing else here uses it; what it points to lives in
    // `fn_mcxt`, as long as it does.
    unsafe {
        let function = (*fcinfo).flinfo;
        if (*function).fn_extra.is_null() {
            let mut descriptor = std::ptr::null_mut();
            let class = PgMemoryContexts::For((*function).fn_mcxt)
                .switch_to(|_| pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut descriptor));
            if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE {
                return Err(Error::OtherType);
            }
            (*function).fn_extra = descriptor.cast();
        }
        Ok((*function).fn_extra.cast())
    }
}

/// A result type whose values [`row`] made.
macro_rules! composite {
    ($name:ident, $sql:literal) => {
        #[doc = concat!("A value of the SQL type `", $sql, "`.")]
        pub(crate) struct $name(pub(crate) ::pgrx::pg_sys::Datum);

        ::pgrx::impl_sql_translatable!($name, $sql);

        #[expect(unsafe_code, reason = "the trait is unsafe; the datum is the row that the SQL declares")]
        unsafe impl ::pgrx::callconv::BoxRet for $name {
            unsafe fn box_into<'fcx>(
                self,
                fcinfo: &mut ::pgrx::callconv::FcInfo<'fcx>,
            ) -> ::pgrx::datum::Datum<'fcx> {
                // SAFETY: the datum was allocated in the caller's memory context just now.
                unsafe { fcinfo.return_raw_datum(self.0) }
            }
        }
    };
}
pub(crate) use composite;
