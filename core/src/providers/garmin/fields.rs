//! The fields of a summary: JSON values that have been found but not yet believed.
//!
//! Promises: each reader takes any JSON and answers with what was asked for or a [`Reason`] that names the field. A
//! missing field and a null are the same. Stops at single fields.

use serde_json::{Map, Value};

use crate::UnixMicros;
use crate::providers::ACCEPTED_TIMES;
use crate::providers::reading::Finality;
use crate::reason::{Code, Reason};

/// The longest id that the database keeps, in characters.
const MAX_ID: usize = 255;

/// A measured quantity, of which less than nothing can't be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    /// Not a word of it.
    Missing,
    /// One of Garmin's codes below zero: the device has no value.
    Unavailable,
    /// Measured.
    Is(f64),
}

impl Amount {
    /// The sum of parts, some of which may be missing.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Amount::Is(a), Amount::Is(b)) => Amount::Is(a + b),
            (Amount::Is(a), _) | (_, Amount::Is(a)) => Amount::Is(a),
            (Amount::Missing, Amount::Missing) => Amount::Missing,
            _ => Amount::Unavailable,
        }
    }

    /// The other one where there is not a word of this one.
    pub(super) fn or(self, other: impl FnOnce() -> Result<Self, Reason>) -> Result<Self, Reason> {
        if self == Amount::Missing { other() } else { Ok(self) }
    }

    /// In a unit that is so many times larger.
    pub(super) fn per(self, unit: f64) -> Self {
        if let Amount::Is(value) = self { Amount::Is(value / unit) } else { self }
    }

    fn known(self) -> f64 {
        if let Amount::Is(value) = self { value } else { 0.0 }
    }
}

/// The fields of one summary.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn get(self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn text(self, field: &str) -> Option<&'a str> {
        self.get(field)?.as_str()
    }

    fn number(self, field: &str) -> Result<Option<f64>, Reason> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(_) => Err(Reason::new(Code::WrongType, format!("{field} must be a number"))),
        }
    }

    pub(super) fn amount(self, field: &str) -> Result<Amount, Reason> {
        Ok(match self.number(field)? {
            None => Amount::Missing,
            Some(value) if value < 0.0 => Amount::Unavailable,
            Some(value) => Amount::Is(value),
        })
    }

    /// Seconds that lie within a summary's period, none where the field doesn't say.
    pub(super) fn seconds(self, field: &str) -> Result<f64, Reason> {
        Ok(self.amount(field)?.known())
    }

    /// An instant in seconds since 1970.
    pub(super) fn time(self, field: &str) -> Result<UnixMicros, Reason> {
        let missing = || Reason::new(Code::MissingField, format!("{field} is missing or null"));
        let outside =
            || Reason::new(Code::TimeOutOfRange, format!("{field} must lie in the years 1970 to 2100"));
        instant(self.number(field)?.ok_or_else(missing)? * MICROS).ok_or_else(outside)
    }

    pub(super) fn start(self) -> Result<UnixMicros, Reason> {
        self.time("startTimeInSeconds")
    }

    /// So much later than the start; `None` where the summary has no length or a nonsensical one.
    pub(super) fn after(self, start: UnixMicros, seconds: f64) -> Option<UnixMicros> {
        instant(start as f64 + seconds * MICROS)
    }

    /// What Garmin calls this record; a name that can't be stored is none.
    pub(super) fn summary_id(self) -> Option<String> {
        let id = match self.get("summaryId")? {
            Value::String(id) => id.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let fits = !id.is_empty() && id.chars().nth(MAX_ID).is_none() && !id.chars().any(char::is_control);
        fits.then_some(id)
    }

    /// How sure Garmin is. Only sleeps say so; what says nothing is as good as it gets.
    pub(super) fn finality(self) -> Finality {
        match self.text("validation") {
            Some(validation) if validation.ends_with("_TENTATIVE") => Finality::Tentative,
            Some("MANUAL" | "AUTO_MANUAL") => Finality::Corrected,
            _ => Finality::Final,
        }
    }
}

const MICROS: f64 = 1e6;

/// Whole microseconds: a double holds all of them until the year 2255.
fn instant(micros: f64) -> Option<UnixMicros> {
    let accepted = ACCEPTED_TIMES.start as f64..ACCEPTED_TIMES.end as f64;
    Some(micros.round()).filter(|micros| accepted.contains(micros)).map(|micros| micros as UnixMicros)
}
