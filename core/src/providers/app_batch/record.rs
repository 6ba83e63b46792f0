//! One record of the app's batch becomes one row, half a blood pressure, or a reason.
//!
//! Records are read independently of each other; the batch pairs and merges them.

use std::borrow::Cow;

use serde::Deserialize;

use super::Row;
use super::capped::Capped;
use super::fields::{self, Raw, missing};
use crate::UnixMicros;
use crate::limits::RECORD_BYTES;
use crate::metric::{Aggregate, Facet, MetricType, Source};
use crate::reason::{Code, Quoted, Reason};
use crate::units::{UnitError, to_canonical};
use crate::validate::Shown;

/// The most stages that one sleep may have: a day in epochs of 30 seconds has 2,880.
const MAX_STAGES: usize = 2_880;

/// What one record is by itself.
pub(super) enum Parsed<'a> {
    Row(Row<'a>),
    Half(Half<'a>),
    Rejected(Reason),
}

/// A row that knows one of the two pressures.
pub(super) struct Half<'a> {
    pub(super) row: Row<'a>,
    pub(super) side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Systolic,
    Diastolic,
}

impl<'a> Half<'a> {
    /// Both halves as one row, which keeps the systolic record's id.
    pub(super) fn join(self, other: Half<'a>) -> Row<'a> {
        let (systolic, diastolic) = match self.side {
            Side::Systolic => (self.row, other.row),
            Side::Diastolic => (other.row, self.row),
        };
        let value_text = Some(pressure_text(systolic.value_num, diastolic.value_num));
        Row { value_text, ..systolic }
    }

    /// Why the half can't stand alone.
    pub(super) fn unpaired(&self) -> Reason {
        let other = match self.side {
            Side::Systolic => "diastolic",
            Side::Diastolic => "systolic",
        };
        Reason::new(Code::Unpaired, format!("the batch has no {other} pressure with the same start and end"))
    }
}

fn pressure_text(systolic: f64, diastolic: f64) -> Cow<'static, str> {
    Cow::Owned(format!("{}/{}", Shown(systolic), Shown(diastolic)))
}

/// The record's own words. What isn't named here is skipped, however deep it nests.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Record<'a> {
    #[serde(default)]
    id: Raw<'a>,
    #[serde(default)]
    source: Raw<'a>,
    #[serde(default, rename = "type")]
    metric: Raw<'a>,
    #[serde(default)]
    value: Raw<'a>,
    #[serde(default)]
    unit: Raw<'a>,
    #[serde(default)]
    start_time: Raw<'a>,
    #[serde(default)]
    end_time: Raw<'a>,
    #[serde(default)]
    recorded_at: Raw<'a>,
    #[serde(default)]
    zone_offset: Raw<'a>,
    #[serde(default)]
    stages: Raw<'a>,
}

#[derive(Deserialize)]
struct Stage<'a> {
    #[serde(borrow, default)]
    stage: Raw<'a>,
    #[serde(borrow, default)]
    start_time: Raw<'a>,
    #[serde(borrow, default)]
    end_time: Raw<'a>,
}

#[derive(Deserialize)]
struct Pressure<'a> {
    #[serde(borrow, default)]
    systolic: Raw<'a>,
    #[serde(borrow, default)]
    diastolic: Raw<'a>,
}

pub(super) fn parse<'a>(json: &'a str, batch_source: Raw<'a>) -> Parsed<'a> {
    read(json, batch_source).unwrap_or_else(Parsed::Rejected)
}

fn read<'a>(json: &'a str, batch_source: Raw<'a>) -> Result<Parsed<'a>, Reason> {
    if json.len() > RECORD_BYTES {
        return Err(Reason::new(
            Code::InvalidRecord,
            format!("a record may have at most {RECORD_BYTES} bytes"),
        ));
    }
    let record: Record<'a> = object("a record", json)?;

    let source = fields::text("source", record.source.or(batch_source))?.ok_or_else(|| missing("source"))?;
    let source: Source = source
        .parse()
        .map_err(|_| Reason::new(Code::UnknownSource, format!("{} is not a source", Quoted(&source))))?;
    let name = fields::text("type", record.metric)?.ok_or_else(|| missing("type"))?;
    let (metric, facet) = MetricType::from_provider_name(&name)
        .ok_or_else(|| Reason::new(Code::UnknownMetric, format!("{} is not a metric", Quoted(&name))))?;

    let start_time = record.time("start_time", record.start_time)?.ok_or_else(|| missing("start_time"))?;
    // What is sampled has one instant; what is summed needs a period.
    let end_time = match record.time("end_time", record.end_time)? {
        Some(end) => end,
        None if metric.spec().aggregate == Aggregate::Mean => start_time,
        None => return Err(missing("end_time")),
    };
    if end_time < start_time {
        return Err(Reason::new(Code::EndBeforeStart, "end_time lies before start_time"));
    }

    let side = match facet {
        Facet::Systolic => Some(Side::Systolic),
        Facet::Diastolic => Some(Side::Diastolic),
        _ => None,
    };
    let convert = |field, raw| record.convert(field, raw, metric, source);
    let (value_num, value_text) = match metric {
        MetricType::BloodPressure if side.is_none() => {
            let value = record.value.ok_or_else(|| missing("value"))?;
            let pressure: Pressure<'_> = object("a blood pressure", value.get())?;
            let systolic = convert("systolic", pressure.systolic)?;
            (systolic, Some(pressure_text(systolic, convert("diastolic", pressure.diastolic)?)))
        }
        MetricType::Sleep => match record.minutes_asleep(start_time, end_time)? {
            Some(minutes) => (minutes, None),
            None if facet == Facet::StagesOnly => return Err(missing("stages")),
            None => (convert("value", record.value)?, None),
        },
        MetricType::Hrv => {
            // HealthKit knows only SDNN; everybody else measures RMSSD.
            let sdnn = facet == Facet::Sdnn || (facet == Facet::Whole && source == Source::Healthkit);
            (convert("value", record.value)?, Some(Cow::Borrowed(if sdnn { "sdnn" } else { "rmssd" })))
        }
        _ => (convert("value", record.value)?, None),
    };
    let row = Row {
        source,
        metric,
        value_num,
        value_text,
        start_time,
        end_time,
        recorded_at: record.time("recorded_at", record.recorded_at)?,
        source_record_id: fields::name("id", record.id)?,
    };
    Ok(match side {
        Some(side) => Parsed::Half(Half { row, side }),
        None => Parsed::Row(row),
    })
}

/// An object, or a reason; a message from serde may repeat foreign text, so it is quoted.
fn object<'a, T: Deserialize<'a>>(what: &str, json: &'a str) -> Result<T, Reason> {
    if !json.starts_with('{') {
        return Err(Reason::new(Code::InvalidRecord, format!("{what} must be a JSON object")));
    }
    serde_json::from_str(json)
        .map_err(|error| Reason::new(Code::InvalidRecord, format!("{what}: {}", Quoted(&error.to_string()))))
}

impl Record<'_> {
    fn time(&self, field: &str, raw: Raw<'_>) -> Result<Option<UnixMicros>, Reason> {
        fields::time(field, raw, self.zone_offset)
    }

    fn convert(&self, field: &str, raw: Raw<'_>, metric: MetricType, source: Source) -> Result<f64, Reason> {
        let number = fields::number(field, raw)?;
        let unit = fields::text("unit", self.unit)?;
        to_canonical(metric, number, unit.as_deref(), Some(source)).map_err(|error| {
            let code = match error {
                UnitError::Unknown { .. } => Code::UnknownUnit,
                UnitError::NotFinite => Code::NotFinite,
            };
            Reason::new(code, error.to_string())
        })
    }

    /// What the stages add up to, if there are any: then they decide, and not the value.
    fn minutes_asleep(&self, from: UnixMicros, to: UnixMicros) -> Result<Option<f64>, Reason> {
        let Some(stages) = self.stages else { return Ok(None) };
        let stages: Capped<Stage<'_>, MAX_STAGES> = serde_json::from_str(stages.get())
            .map_err(|_| Reason::new(Code::WrongType, "stages must be an array of objects"))?;
        if stages.count > MAX_STAGES {
            let text = format!("a night has at most {MAX_STAGES} stages");
            return Err(Reason::new(Code::InvalidStages, text));
        }
        if stages.count == 0 {
            return Ok(None);
        }

        let mut spans = Vec::with_capacity(stages.count);
        for stage in &stages.kept {
            let name = fields::text("stage", stage.stage)?.ok_or_else(|| missing("stage"))?;
            let start = self
                .time("stage start_time", stage.start_time)?
                .ok_or_else(|| missing("stage start_time"))?;
            let end =
                self.time("stage end_time", stage.end_time)?.ok_or_else(|| missing("stage end_time"))?;
            if end < start || start < from || end > to {
                return Err(Reason::new(Code::InvalidStages, "a stage leaves the session's period"));
            }
            match StageKind::of(&name) {
                Some(StageKind::InBed) => {}
                Some(kind) => spans.push((start, end, kind)),
                None => {
                    let text = format!("{} is not a sleep stage", Quoted(&name));
                    return Err(Reason::new(Code::InvalidStages, text));
                }
            }
        }
        spans.sort_unstable_by_key(|&(start, end, _)| (start, end));
        if spans.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(Reason::new(Code::InvalidStages, "two stages overlap"));
        }
        let asleep = spans.iter().filter(|(_, _, kind)| *kind == StageKind::Asleep);
        let micros: UnixMicros = asleep.map(|(start, end, _)| end - start).sum();
        Ok(Some(micros as f64 / 60_000_000.0))
    }
}

/// What a stage's name says about being asleep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StageKind {
    Asleep,
    /// Awake, out of bed, or not known: what nobody saw asleep isn't counted, as Garmin does with unmeasurable time.
    NotAsleep,
    /// HealthKit's frame around all other stages, which it overlaps.
    InBed,
}

impl StageKind {
    /// Health Connect's, HealthKit's and plain names; capitals, `_` and `-` don't matter.
    fn of(name: &str) -> Option<Self> {
        let key: String = name
            .chars()
            .take(32)
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_lowercase())
            .collect();
        let key = key.strip_prefix("stagetype").unwrap_or(&key);
        Some(match key {
            "asleep" | "sleeping" | "asleepunspecified" => StageKind::Asleep,
            "light" | "core" | "asleepcore" | "deep" | "asleepdeep" | "rem" | "asleeprem" => {
                StageKind::Asleep
            }
            "awake" | "awakeinbed" | "outofbed" | "unknown" => StageKind::NotAsleep,
            "inbed" => StageKind::InBed,
            _ => return None,
        })
    }
}
