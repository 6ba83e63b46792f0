//! What Garmin's Health API pushes: one event for each type and person ([`split`]), and what an event says ([`parse`]).
//!
//! Promises: every summary of a well-formed push is in exactly one event, understood or not; a summary with one odd
//! field loses that field's reading and no other; the order of summaries changes no reading. Stops at what one push
//! says: which of several words about a day counts is the database's business, and what stands behind a ping's address
//! is fetched by whoever may.

mod envelope;
mod fields;
mod summary;

pub use envelope::{Event, NotJson, split};
pub use summary::{Change, Parsed, is_read, parse};
