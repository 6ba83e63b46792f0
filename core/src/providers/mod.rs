//! What differs between providers, and parsers that turn their payloads into rows of `wt_health_metrics`.
//!
//! No payload makes a parser panic, and every record that came in is accounted for.

pub mod app_batch;
pub mod canonical;
pub mod garmin;
pub mod oauth;
mod provider;
pub mod reading;
pub mod secret;
pub mod strava;

pub use provider::{Address, Provider, ProviderRules, ReportedAt};

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
