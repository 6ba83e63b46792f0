//! Limits that several rooms share, each once, smallest first along the way that a payload takes.
//!
//! A push comes in through a function (`body_mb`), goes to the database as the argument of one call, and comes back to a
//! worker in a claimed batch: each step has to hold what the one before let through. The compiler checks that order.

use crate::metric::UnknownLabel;
use crate::reason::Quoted;

/// Bytes in a MiB.
pub const MIB: usize = 1 << 20;

/// The most records that one batch of the app may hold.
pub const BATCH_RECORDS: usize = 10_000;

/// The longest record of such a batch, in bytes of JSON; the longest night with all its stages has 350,000.
pub const RECORD_BYTES: usize = MIB / 2;

/// The longest record as `wt_health_metrics.raw_payload_json` holds it: as `jsonb` the oddest are four times as large.
pub const STORED_RECORD_BYTES: usize = 4 * MIB;

/// The largest batch as `ingest_health_metrics` is given it, a `jsonb`.
pub const BATCH_BYTES: usize = 32 * MIB;

/// The same batch written out as text, which it is taken apart from.
pub const BATCH_TEXT_BYTES: usize = 64 * MIB;

/// The body of a request to the local stand-in for PostgREST: a batch as JSON text, with the call around it.
pub const LOCAL_REST_BODY_BYTES: usize = 40 * MIB;

/// The body of a request to a function, in MiB, where its settings don't say (`body_mb`).
pub const DEFAULT_BODY_MIB: u64 = 10;

/// The largest `body_mb`: Garmin's activity details come in pushes of up to a hundred megabytes.
pub const LARGEST_BODY_MIB: u64 = 100;

/// The argument of a function's call of the database: a push with the escapes that JSON adds to it.
pub const RPC_BODY_BYTES: usize = 160 * MIB;

/// The answer to such a call: a claimed batch, in which one event may be a hundred megabytes by itself.
pub const RPC_ANSWER_BYTES: usize = 256 * MIB;

/// An answer of Garmin's API, behind the address of a ping.
pub const GARMIN_ANSWER_BYTES: usize = 10 * MIB;

/// An activity of Strava's API, which with its laps and segments has some hundred kilobytes.
pub const STRAVA_ANSWER_BYTES: usize = 8 * MIB;

/// A provider's answer to a request for tokens.
pub const TOKEN_ANSWER_BYTES: usize = MIB;

const _: () = assert!(RECORD_BYTES < STORED_RECORD_BYTES, "a record that is taken can be stored");
const _: () = assert!(STORED_RECORD_BYTES < BATCH_BYTES, "a batch holds a record of any size");
const _: () = assert!(BATCH_BYTES < BATCH_TEXT_BYTES, "a batch that is taken can be written out");
const _: () = assert!(BATCH_BYTES < LOCAL_REST_BODY_BYTES, "the largest batch gets through the local API");
const _: () = assert!(DEFAULT_BODY_MIB <= LARGEST_BODY_MIB, "the default is one of the allowed values");
const _: () =
    assert!(LARGEST_BODY_MIB as usize * MIB < RPC_BODY_BYTES, "a push fits into the call that stores it");
const _: () = assert!(RPC_BODY_BYTES < RPC_ANSWER_BYTES, "what was stored can be claimed");
const _: () = assert!(
    GARMIN_ANSWER_BYTES < RPC_BODY_BYTES && STRAVA_ANSWER_BYTES < RPC_BODY_BYTES,
    "what was fetched can be settled"
);

/// Limits that SQL asks for by name (`welltrack.size_limit`).
pub const NAMED: [(&str, usize); 5] = [
    ("batch_records", BATCH_RECORDS),
    ("record_bytes", RECORD_BYTES),
    ("stored_record_bytes", STORED_RECORD_BYTES),
    ("batch_bytes", BATCH_BYTES),
    ("batch_text_bytes", BATCH_TEXT_BYTES),
];

/// The limit of that name.
///
/// # Errors
///
/// [`UnknownLabel`] for a name that is not in [`NAMED`].
pub fn named(name: &str) -> Result<usize, UnknownLabel> {
    let limit = NAMED.iter().find(|(named, _)| *named == name).map(|(_, limit)| *limit);
    limit.ok_or_else(|| UnknownLabel::new(format!("{} is not a limit", Quoted(name))))
}
