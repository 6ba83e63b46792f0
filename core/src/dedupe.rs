//! The identity of a reading: its canonical text and the SHA-256 of it.
//!
//! Promises: the same six fields give the same 32 bytes in every implementation, and different fields never give the
//! same text (`core/vectors/dedupe_hash.json` binds them all). Stops at identity: the value measured, its unit and the
//! provider's own record id are no part of it, so that a corrected value finds the row it corrects.
//!
//! It runs for every row that is stored, so nothing here allocates.

use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

use crate::{MICROS_PER_DAY, UnixMicros};

/// The first instant that has a canonical text: 0001-01-01T00:00:00Z.
pub const MIN_TIME: UnixMicros = -62_135_596_800_000_000;
/// The last instant that has a canonical text: 9999-12-31T23:59:59.999999Z.
pub const MAX_TIME: UnixMicros = 253_402_300_799_999_999;
/// The longest label, in bytes: Postgres keeps no longer enum label.
pub const MAX_LABEL: usize = 63;

const UUID_LEN: usize = 36;
const TIME_LEN: usize = "YYYY-MM-DDTHH:MM:SS.ffffffZ".len();
const MAX_TEXT: usize = 2 * UUID_LEN + 2 * MAX_LABEL + 2 * TIME_LEN + 5;

/// What makes two records the same reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The person.
    pub user_id: Uuid,
    /// The person's profile.
    pub profile_id: Uuid,
    /// The source's enum label. Any label will do, so that a new source needs no new extension.
    pub source: &'a str,
    /// The metric's enum label; any will do here too.
    pub metric_type: &'a str,
    /// When the period began.
    pub start_time: Option<UnixMicros>,
    /// When it ended.
    pub end_time: Option<UnixMicros>,
}

/// Why there is no canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DedupeError {
    /// A time outside the years 1 to 9999: the text has four digits for the year and none for an era.
    TimeOutOfRange,
    /// A label that is empty, longer than [`MAX_LABEL`] bytes, or holds the separator `|`.
    InvalidLabel,
}

impl fmt::Display for DedupeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DedupeError::TimeOutOfRange => "a reading's time must lie in the years 1 to 9999",
            DedupeError::InvalidLabel => "source and metric_type must be labels of 1 to 63 bytes without '|'",
        })
    }
}

impl std::error::Error for DedupeError {}

/// A canonical text, kept on the stack.
pub struct CanonicalText {
    buffer: [u8; MAX_TEXT],
    length: usize,
}

impl Identity<'_> {
    /// The canonical text: six fields joined by `|`, uuids in lower case with hyphens, times in UTC with six digits
    /// after the second, a missing time as the empty string.
    ///
    /// ```
    /// use uuid::Uuid;
    /// use welltrack_core::dedupe::Identity;
    ///
    /// let identity = Identity {
    ///     user_id: Uuid::from_u128(1),
    ///     profile_id: Uuid::from_u128(2),
    ///     source: "garmin",
    ///     metric_type: "steps",
    ///     start_time: Some(0),
    ///     end_time: None,
    /// };
    /// assert_eq!(
    ///     identity.canonical_text()?.as_bytes(),
    ///     b"00000000-0000-0000-0000-000000000001|00000000-0000-0000-0000-000000000002\
    ///       |garmin|steps|1970-01-01T00:00:00.000000Z|"
    /// );
    /// # Ok::<(), welltrack_core::dedupe::DedupeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A time outside [`MIN_TIME`]..=[`MAX_TIME`], or a label that could be mistaken for something else.
    pub fn canonical_text(&self) -> Result<CanonicalText, DedupeError> {
        let mut text = CanonicalText { buffer: [0; MAX_TEXT], length: 0 };
        self.write(&mut text)?;
        Ok(text)
    }

    /// SHA-256 of the canonical text.
    ///
    /// # Errors
    ///
    /// As [`Identity::canonical_text`].
    pub fn hash(&self) -> Result<[u8; 32], DedupeError> {
        let mut text = CanonicalText { buffer: [0; MAX_TEXT], length: 0 };
        self.write(&mut text)?;
        Ok(Sha256::digest(text.as_bytes()).into())
    }

    fn write(&self, text: &mut CanonicalText) -> Result<(), DedupeError> {
        text.push_uuid(self.user_id);
        text.push(b"|");
        text.push_uuid(self.profile_id);
        text.push(b"|");
        text.push_label(self.source)?;
        text.push(b"|");
        text.push_label(self.metric_type)?;
        text.push(b"|");
        text.push_time(self.start_time)?;
        text.push(b"|");
        text.push_time(self.end_time)
    }
}

impl CanonicalText {
    /// The text in UTF-8; all of it ASCII if the labels are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.buffer[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn push_uuid(&mut self, id: Uuid) {
        id.hyphenated().encode_lower(&mut self.buffer[self.length..]);
        self.length += UUID_LEN;
    }

    fn push_label(&mut self, label: &str) -> Result<(), DedupeError> {
        if label.is_empty() || label.len() > MAX_LABEL || label.contains('|') {
            return Err(DedupeError::InvalidLabel);
        }
        self.push(label.as_bytes());
        Ok(())
    }

    fn push_time(&mut self, time: Option<UnixMicros>) -> Result<(), DedupeError> {
        let Some(time) = time else { return Ok(()) };
        if !(MIN_TIME..=MAX_TIME).contains(&time) {
            return Err(DedupeError::TimeOutOfRange);
        }
        let (year, month, day) = civil_date(time.div_euclid(MICROS_PER_DAY));
        let of_day = time.rem_euclid(MICROS_PER_DAY) as u64;
        // A day has fewer than 2^17 seconds, and a second fewer than 2^20 microseconds.
        let (seconds, micros) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);

        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (at, value) in [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, seconds / 3_600),
            (14, seconds / 60 % 60),
            (17, seconds % 60),
            (20, micros / 10_000),
            (22, micros / 100 % 100),
            (24, micros % 100),
        ] {
            text[at..at + 2].copy_from_slice(&TWO_DIGITS[value as usize]);
        }
        self.push(&text);
        Ok(())
    }
}

/// The numbers below 100 as people write them, since a look-up costs less than two divisions.
const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut digits = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        digits[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    digits
};

/// Year, month and day in the proleptic Gregorian calendar (as Postgres counts) of a day since 1970-01-01; the year
/// must be positive. Years are counted from March, so that the leap day is a year's last: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_date(days_since_1970: i64) -> (u32, u32, u32) {
    const DAYS_PER_ERA: u32 = 146_097; // 400 years
    const DAYS_TO_1970: i64 = 719_468; // from 0000-03-01

    // The years 1 to 9999 have fewer than 2^22 days.
    let days = (days_since_1970 + DAYS_TO_1970) as u32;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}
