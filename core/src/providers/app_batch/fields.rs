//! Reads single fields of a record from unchecked JSON.
//!
//! Each reader takes any JSON value and returns what was asked for, or a [`Reason`] that names the field. A null counts
//! as a missing field.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::UnixMicros;
use crate::providers::ACCEPTED_TIMES;
use crate::reason::{Code, Quoted, Reason};

/// A field as it stands in the payload.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// The longest name or id, in characters.
const MAX_NAME: usize = 255;

pub(super) fn missing(field: &str) -> Reason {
    Reason::new(Code::MissingField, format!("{field} is missing or null"))
}

fn wrong_type(field: &str, expected: &str) -> Reason {
    Reason::new(Code::WrongType, format!("{field} must be {expected}"))
}

/// A JSON string, borrowed where no escape stands in the way.
pub(super) fn text<'a>(field: &str, raw: Raw<'a>) -> Result<Option<Cow<'a, str>>, Reason> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(None) };
    let inner = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.contains('\\') => Ok(Some(Cow::Borrowed(plain))),
        // Half a surrogate pair is valid JSON and no text.
        Some(_) => serde_json::from_str(raw)
            .map(|text: String| Some(Cow::Owned(text)))
            .map_err(|_| wrong_type(field, "readable text")),
        None => Err(wrong_type(field, "text")),
    }
}

/// A text that will be stored as a name: bounded, printable; an empty one names nothing.
pub(super) fn name<'a>(field: &str, raw: Raw<'a>) -> Result<Option<Cow<'a, str>>, Reason> {
    let name = match raw.map(RawValue::get) {
        // Some providers count their records instead of naming them.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(Cow::Borrowed(digits)),
        _ => text(field, raw)?.filter(|name| !name.is_empty()),
    };
    match name {
        Some(name) if name.chars().nth(MAX_NAME).is_some() => {
            Err(Reason::new(Code::InvalidId, format!("{field} is longer than {MAX_NAME} characters")))
        }
        Some(name) if name.chars().any(char::is_control) => {
            Err(Reason::new(Code::InvalidId, format!("{field} holds control characters")))
        }
        name => Ok(name),
    }
}

/// A finite number, rounded to the nearest that 64 bits hold.
pub(super) fn number(field: &str, raw: Raw<'_>) -> Result<f64, Reason> {
    let raw = raw.ok_or_else(|| missing(field))?.get();
    if !raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(wrong_type(field, "a number"));
    }
    // JSON's numbers are a part of what Rust reads, and its parser rounds correctly where serde_json's default doesn't.
    match raw.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Reason::new(Code::NotFinite, format!("{field} is too large for a number"))),
    }
}

/// An instant in ISO 8601 with its offset from UTC, which may also stand in `zone_offset`, to the nearest microsecond.
pub(super) fn time(field: &str, raw: Raw<'_>, zone_offset: Raw<'_>) -> Result<Option<UnixMicros>, Reason> {
    let Some(given) = text(field, raw)? else { return Ok(None) };
    let parsed = match given.parse::<Timestamp>() {
        Ok(timestamp) => Ok(timestamp),
        // Health Connect keeps the offset apart; put together again, the two are one ISO time.
        Err(error) => match text("zone_offset", zone_offset)? {
            Some(offset) => format!("{given}{offset}").parse(),
            None => Err(error),
        },
    };
    let timestamp = parsed.map_err(|_| {
        Reason::new(
            Code::InvalidTime,
            format!("{field} {} is not a time with an offset from UTC", Quoted(&given)),
        )
    })?;
    let micros = nearest_microsecond(timestamp);
    if ACCEPTED_TIMES.contains(&micros) {
        Ok(Some(micros))
    } else {
        Err(Reason::new(Code::TimeOutOfRange, format!("{field} must lie in the years 1970 to 2100")))
    }
}

/// As Postgres rounds: the same instant is the same reading, whoever reads its text.
fn nearest_microsecond(timestamp: Timestamp) -> UnixMicros {
    let fraction = f64::from(timestamp.subsec_nanosecond()) / 1e9;
    timestamp.as_second() * 1_000_000 + (fraction * 1e6).round_ties_even() as i64
}
