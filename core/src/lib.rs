//! The rules of WellTrack, written once.
//!
//! Promises: what a reading is, how it is named ([`dedupe`]), in which unit it is kept ([`units`]), when it is
//! plausible ([`validate`]), how a provider's payload becomes rows ([`providers`]), what a sign-up's metadata may
//! become ([`signup`]); and what a month of days comes to: a recovery score ([`recovery`], [`training`]), a line
//! ([`regression`]), a date ([`forecast`]) and words for it ([`narrative`]). The Postgres extension, the edge functions
//! and the tests all compile this one crate.
//!
//! Stops at the edge of the process: no database, no clock, no network, no files. What depends on "now" or on what a
//! server knows takes it as an argument.

#![forbid(unsafe_code)]

pub mod dedupe;
mod double;
pub mod forecast;
pub mod limits;
pub mod metric;
pub mod narrative;
pub mod providers;
pub mod reason;
pub mod recovery;
pub mod regression;
pub mod retry;
pub mod signup;
pub mod timezone;
pub mod training;
pub mod units;
pub mod validate;

/// An instant: microseconds since 1970-01-01T00:00:00Z, negative before it. Leap seconds don't exist here, as in
/// Postgres.
pub type UnixMicros = i64;

/// Microseconds in a day of 24 hours.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

pub use metric::{MetricType, Source};
pub use reason::{Code, Reason};
