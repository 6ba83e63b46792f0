//! Why a reading does not count: a short code that programs may match, and a sentence for people.
//!
//! Promises: codes are stable, texts are bounded in length and safe to store and to show whatever the input held.
//! Stops at saying: whether a reading is turned away at the door or kept as rejected is the caller's decision.

use std::borrow::Cow;
use std::fmt;

/// The stable half of a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not an object, or an object with a field given twice.
    InvalidRecord,
    /// A field that must be there is missing or null.
    MissingField,
    /// A field holds another JSON type than it should.
    WrongType,
    /// The provider's name for what it sends is unknown.
    UnknownType,
    /// The metric's name is unknown.
    UnknownMetric,
    /// The source's name is unknown.
    UnknownSource,
    /// The unit is unknown for this metric.
    UnknownUnit,
    /// A number is NaN, infinite or too large to be held.
    NotFinite,
    /// A time can't be read, or doesn't say at which offset from UTC it was taken.
    InvalidTime,
    /// A time lies outside the years that are accepted.
    TimeOutOfRange,
    /// The end lies before the start.
    EndBeforeStart,
    /// An identifier is too long or holds control characters.
    InvalidId,
    /// Sleep stages overlap, leave their session, or have an unknown name.
    InvalidStages,
    /// One half of a blood pressure came without the other.
    Unpaired,
    /// The value is outside the plausible range.
    OutOfRange,
    /// Two fields of one reading contradict each other.
    Inconsistent,
    /// The period can't be right for what was measured.
    InvalidPeriod,
    /// The reading lies in the future of the moment it was recorded or looked at.
    InFuture,
    /// The provider said that it has no value.
    Unavailable,
}

impl Code {
    /// The code as it is stored and sent, such as `out_of_range`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRecord => "invalid_record",
            Code::MissingField => "missing_field",
            Code::WrongType => "wrong_type",
            Code::UnknownType => "unknown_type",
            Code::UnknownMetric => "unknown_metric",
            Code::UnknownSource => "unknown_source",
            Code::UnknownUnit => "unknown_unit",
            Code::NotFinite => "not_finite",
            Code::InvalidTime => "invalid_time",
            Code::TimeOutOfRange => "time_out_of_range",
            Code::EndBeforeStart => "end_before_start",
            Code::InvalidId => "invalid_id",
            Code::InvalidStages => "invalid_stages",
            Code::Unpaired => "unpaired",
            Code::OutOfRange => "out_of_range",
            Code::Inconsistent => "inconsistent",
            Code::InvalidPeriod => "invalid_period",
            Code::InFuture => "in_future",
            Code::Unavailable => "unavailable",
        }
    }
}

/// A code and a sentence, written `code: sentence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What programs match.
    pub code: Code,
    text: Cow<'static, str>,
}

impl Reason {
    pub(crate) fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Reason { code, text: text.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.text)
    }
}

impl std::error::Error for Reason {}

/// Foreign text inside our own: quoted, at most 40 characters of it, controls and other invisible characters escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let mut characters = self.0.chars();
        f.write_str("\"")?;
        for character in characters.by_ref().take(SHOWN) {
            write!(f, "{}", character.escape_debug())?;
        }
        f.write_str(if characters.next().is_some() { "…\"" } else { "\"" })
    }
}
