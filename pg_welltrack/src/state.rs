//! What an aggregate remembers from row to row.
//!
//! Promises: a state is made in the aggregate's own memory and lives as long as its group. Stops at memory: what a
//! state is made of is the aggregate's.

use pgrx::prelude::*;
use pgrx::{Internal, PgMemoryContexts};

use crate::error::Error;

/// The state that `internal` points to. SQL can't get here with anything else: a function with an `internal` argument
/// can only be called by the server, and each is the part of one aggregate.
#[expect(unsafe_code, reason = "`internal` is a pointer by definition")]
pub(crate) fn known<T>(internal: &mut Internal) -> Option<&mut T> {
    // SAFETY: the pointer is the one that `begin` made for the same aggregate.
    unsafe { internal.get_mut() }
}

/// A new state; 42809 outside of an aggregate.
#[expect(unsafe_code, reason = "asks the executor for the group's memory")]
pub(crate) fn begin<T: Copy>(fcinfo: pg_sys::FunctionCallInfo, state: T) -> Result<Internal, Error> {
    let mut context = std::ptr::null_mut();
    // SAFETY: the server calls with a valid fcinfo. A state that is `Copy` needs no drop, so the memory is all of it.
    unsafe {
        if pg_sys::AggCheckCallContext(fcinfo, &mut context) == 0 {
            return Err(Error::NotAggregate);
        }
        let place: *mut T = PgMemoryContexts::For(context).palloc_struct();
        place.write(state);
        Ok(Internal::from(Some(pg_sys::Datum::from(place))))
    }
}

/// A state on its way into another one, in the memory that the caller has chosen for it.
#[expect(unsafe_code, reason = "puts a state where `known` looks for it")]
pub(crate) fn pass<T: Copy>(state: T) -> Internal {
    // SAFETY: as above.
    unsafe {
        let place: *mut T = PgMemoryContexts::CurrentMemoryContext.palloc_struct();
        place.write(state);
        Internal::from(Some(pg_sys::Datum::from(place)))
    }
}
