//! `uuid_v7`: ids that grow with time.
//!
//! Promises: unique as a random uuid is, and in order of creation within one connection. Stops at making them.

use pgrx::Uuid;
use pgrx::prelude::*;

/// A time-ordered uuid, version 7: 48 bits of Unix time in milliseconds, then a counter, then random bits from a
/// cryptographic generator.
///
/// Rows that come in one after the other get neighbouring ids, so that the index on the id grows at its end and a large
/// table costs no more to insert into than a small one. Postgres has no such function before version 18.
///
/// Source: RFC 9562, section 5.7 and section 6.2, method 1.
#[pg_extern(volatile, parallel_safe)]
fn uuid_v7() -> Uuid {
    Uuid::from_bytes(uuid::Uuid::now_v7().into_bytes())
}
