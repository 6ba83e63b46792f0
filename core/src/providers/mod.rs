//! Providers' payloads become rows of `wt_health_metrics`: one file per provider.
//!
//! Promises: nothing a provider sends makes these parsers panic, and every record that came in is accounted for. Stops
//! before storage: what is stored already, and which source speaks for a day, is the database's business.

pub mod app_batch;
pub mod canonical;
pub mod garmin;
pub mod oauth;
pub mod reading;
pub mod secret;
pub mod strava;

/// The years 1970 to 2100: no provider has older readings, but broken clocks and zeroed fields look like 1969.
pub(crate) const ACCEPTED_TIMES: std::ops::Range<crate::UnixMicros> = 0..4_133_980_800_000_000;

/// The instant as the API writes and reads it; `None` outside the years -9999 to 9999.
#[must_use]
pub fn rfc3339(at: crate::UnixMicros) -> Option<String> {
    jiff::Timestamp::from_microsecond(at).ok().map(|time| time.to_string())
}

/// The instant that the API wrote; `None` for any other text, for times without an offset from UTC, and for `infinity`.
#[must_use]
pub fn instant(text: &str) -> Option<crate::UnixMicros> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_microsecond())
}
