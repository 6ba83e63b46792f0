//! Reads the app's own batch: what its plugin read from HealthKit or Health Connect, or what a person typed.
//!
//! Every record has one outcome, in order, and a bad record never affects another one. Work and memory grow linearly with
//! the payload (n log n in the stages of one sleep). No two rows of a batch share a period or a provider's id within a
//! source and metric, so a set-based write can't conflict with itself. Ranges are not checked here: -3 steps become a
//! row, which [`crate::validate`] refuses.
//!
//! Shape: `{"source", "ingestion_version", "records": [...]}` or the bare array; a record is `{id, type, value, unit,
//! start_time, end_time, zone_offset, stages, recorded_at, source}`, its own source before the batch's. Other keys are
//! skipped.

mod capped;
mod fields;
mod record;

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::metric::{MetricType, Source};
use crate::reason::{Quoted, Reason};
use crate::{UnixMicros, dedupe};
use capped::Capped;
use record::{Half, Parsed, Side};

/// The most records that one batch may hold.
pub const MAX_RECORDS: usize = crate::limits::BATCH_RECORDS;

/// What became of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordOutcome<'a> {
    /// A row to be stored.
    Row(Row<'a>),
    /// Turned away.
    Rejected(Reason),
    /// Part of, or overtaken by, another record of the same batch.
    Merged {
        /// That record's place in the batch, counted from 0. It may itself have been overtaken or turned away.
        into: usize,
    },
}

/// One row for `wt_health_metrics`, in canonical units.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Where the reading comes from.
    pub source: Source,
    /// What was measured.
    pub metric: MetricType,
    /// The value in the metric's unit; finite.
    pub value_num: f64,
    /// `120/80` for a blood pressure, `rmssd` or `sdnn` for a heart rate variability.
    pub value_text: Option<Cow<'static, str>>,
    /// When the period began.
    pub start_time: UnixMicros,
    /// When it ended; the start for a reading of one instant.
    pub end_time: UnixMicros,
    /// When the app says that it was recorded.
    pub recorded_at: Option<UnixMicros>,
    /// The provider's own name for the record.
    pub source_record_id: Option<Cow<'a, str>>,
}

impl Row<'_> {
    /// What makes this row the same reading as another one.
    #[must_use]
    pub fn identity(&self, user_id: uuid::Uuid, profile_id: uuid::Uuid) -> dedupe::Identity<'static> {
        dedupe::Identity {
            user_id,
            profile_id,
            source: self.source.label(),
            metric_type: self.metric.label(),
            start_time: Some(self.start_time),
            end_time: Some(self.end_time),
        }
    }
}

/// A whole batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<'a> {
    /// The app's version, as it was sent with the batch.
    pub ingestion_version: Option<Cow<'a, str>>,
    /// One outcome a record, in their order.
    pub outcomes: Vec<RecordOutcome<'a>>,
}

/// Why a batch as a whole can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Not JSON, or not the shape of a batch.
    Shape(String),
    /// More than [`MAX_RECORDS`].
    TooMany(usize),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Shape(problem) => write!(f, "not a batch of records: {problem}"),
            BatchError::TooMany(count) => {
                write!(f, "a batch holds at most {MAX_RECORDS} records, this one has {count}")
            }
        }
    }
}

impl std::error::Error for BatchError {}

/// Reads a batch. A record that repeats the period or the id of a later one (same source, same metric) is merged into
/// it: a phone appends corrections, so the last word counts.
///
/// # Errors
///
/// Only where no single record can be blamed; see [`BatchError`].
pub fn parse(payload: &str) -> Result<Batch<'_>, BatchError> {
    let envelope = Envelope::read(payload)?;
    let ingestion_version = fields::name("ingestion_version", envelope.ingestion_version)
        .map_err(|reason| BatchError::Shape(reason.to_string()))?;
    let parsed = envelope.records.kept.iter().map(|raw| record::parse(raw.get(), envelope.source)).collect();
    Ok(Batch { ingestion_version, outcomes: settle(parsed) })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ingestion_version: Option<&'a RawValue>,
    #[serde(borrow)]
    records: Capped<&'a RawValue, MAX_RECORDS>,
}

impl<'a> Envelope<'a> {
    fn read(payload: &'a str) -> Result<Self, BatchError> {
        let envelope = if payload.trim_start().starts_with('[') {
            serde_json::from_str(payload).map(|records| Envelope {
                source: None,
                ingestion_version: None,
                records,
            })
        } else {
            serde_json::from_str(payload)
        };
        // serde's message may repeat a part of the payload.
        let envelope: Self =
            envelope.map_err(|error| BatchError::Shape(Quoted(&error.to_string()).to_string()))?;
        match envelope.records.count {
            count if count > MAX_RECORDS => Err(BatchError::TooMany(count)),
            _ => Ok(envelope),
        }
    }
}

type Period = (Source, MetricType, UnixMicros, UnixMicros);

/// Which periods and ids a later record has taken already, and by which record.
struct Taken<'a> {
    periods: HashMap<Period, usize>,
    ids: HashMap<(Source, MetricType, Cow<'a, str>), usize>,
}

impl<'a> Taken<'a> {
    fn with_capacity(records: usize) -> Self {
        Taken { periods: HashMap::with_capacity(records), ids: HashMap::with_capacity(records) }
    }

    /// Takes both the period and the id, or neither.
    fn claim(&mut self, row: Row<'a>, at: usize) -> RecordOutcome<'a> {
        let by_period = match self.periods.entry(period(&row)) {
            Entry::Occupied(entry) => return RecordOutcome::Merged { into: *entry.get() },
            Entry::Vacant(entry) => entry,
        };
        if let Some(id) = row.source_record_id.clone() {
            match self.ids.entry((row.source, row.metric, id)) {
                Entry::Occupied(entry) => return RecordOutcome::Merged { into: *entry.get() },
                Entry::Vacant(entry) => entry.insert(at),
            };
        }
        by_period.insert(at);
        RecordOutcome::Row(row)
    }
}

fn period(row: &Row<'_>) -> Period {
    (row.source, row.metric, row.start_time, row.end_time)
}

/// From the last record to the first: pairs the halves of blood pressures and folds repeats.
fn settle(parsed: Vec<Parsed<'_>>) -> Vec<RecordOutcome<'_>> {
    let mut taken = Taken::with_capacity(parsed.len());
    let mut waiting: HashMap<Period, (usize, Half<'_>)> = HashMap::new();
    let mut outcomes = vec![RecordOutcome::Merged { into: 0 }; parsed.len()];
    for (at, parsed) in parsed.into_iter().enumerate().rev() {
        outcomes[at] = match parsed {
            Parsed::Rejected(reason) => RecordOutcome::Rejected(reason),
            Parsed::Row(row) => taken.claim(row, at),
            Parsed::Half(half) => match waiting.entry(period(&half.row)) {
                Entry::Occupied(entry) if entry.get().1.side == half.side => {
                    RecordOutcome::Merged { into: entry.get().0 }
                }
                // The row stands where its systolic half stood, whichever came first: its payload is that record.
                Entry::Occupied(entry) => {
                    let (later, other) = entry.remove();
                    let (row_at, half_at) =
                        if half.side == Side::Systolic { (at, later) } else { (later, at) };
                    let outcome = taken.claim(half.join(other), row_at);
                    let into = if let RecordOutcome::Merged { into } = outcome { into } else { row_at };
                    outcomes[half_at] = RecordOutcome::Merged { into };
                    outcomes[row_at] = outcome;
                    continue;
                }
                Entry::Vacant(entry) => match taken.periods.get(entry.key()) {
                    Some(&into) => RecordOutcome::Merged { into },
                    // Unless its other half turns up.
                    None => {
                        let reason = half.unpaired();
                        entry.insert((at, half));
                        RecordOutcome::Rejected(reason)
                    }
                },
            },
        };
    }
    outcomes
}
