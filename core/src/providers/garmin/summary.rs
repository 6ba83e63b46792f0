//! What summaries say: readings in canonical units, changes of the connection, or an address to fetch summaries from.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::fields::{Amount, Fields};
use crate::UnixMicros;
use crate::metric::{GarminField, METRICS, MetricSpec, MetricType as M};
use crate::providers::reading::{Finality, Reading};
use crate::reason::{Code, Quoted, Reason};
use crate::units::to_canonical;
use crate::validate::UNAVAILABLE;

/// So many problems of one event are told; a push of a million broken summaries has one story.
const MAX_PROBLEMS: usize = 10;

/// What one event says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// What was measured.
    pub readings: Vec<Reading>,
    /// Where to fetch summaries of the same type: the event is a ping, in whole or in part.
    pub callbacks: Vec<String>,
    /// What became of the connection.
    pub change: Option<Change>,
    /// Why some of it yields nothing; the first ten.
    pub problems: Vec<Reason>,
}

/// What Garmin says of the connection itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The person took back consent.
    Disconnected,
    /// The person allows this, and nothing else.
    Permissions(Vec<String>),
}

impl Parsed {
    fn problem(&mut self, reason: Reason) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(reason);
        }
    }
}

/// One summary of an event.
#[derive(Clone, Copy)]
struct Summary<'a> {
    event_type: &'a str,
    fields: Fields<'a>,
    zone: &'a TimeZone,
}

type Read = fn(Summary<'_>, &mut Parsed) -> Result<(), Reason>;

fn reader(event_type: &str) -> Option<Read> {
    Some(match event_type {
        "sleeps" => sleep,
        "stressDetails" => stress,
        "deregistrations" => deregistration,
        "userPermissionsChange" => permissions,
        _ if plain_fields(event_type).next().is_some() => plain,
        _ => return None,
    })
}

/// Whether anything is ever taken from events of this type, so that their payload need be read at all.
///
/// # Errors
///
/// The reason why nothing is.
pub fn is_read(event_type: &str) -> Result<(), Reason> {
    match reader(event_type) {
        Some(_) => Ok(()),
        None => {
            Err(Reason::new(Code::UnknownType, format!("no readings are taken from {}", Quoted(event_type))))
        }
    }
}

/// What the summaries of `event_type` in `payload` say: in `{"<type>": [...]}` as it was pushed, or in the bare array
/// that a ping's address answers. `zone` is the person's, for the one type that has a date and no time.
///
/// Never fails: what can't be understood is a problem that is told.
#[must_use]
pub fn parse(event_type: &str, payload: &Value, zone: &TimeZone) -> Parsed {
    let mut parsed = Parsed::default();
    let Some(read) = reader(event_type) else {
        parsed.problems.extend(is_read(event_type).err());
        return parsed;
    };
    let items = match payload {
        Value::Object(fields) => fields.values().next(),
        other => Some(other),
    };
    for item in items.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let Value::Object(fields) = item else {
            parsed.problem(Reason::new(Code::InvalidRecord, "a summary must be an object"));
            continue;
        };
        let fields = Fields(fields);
        let summary = Summary { event_type, fields, zone };
        if let Some(address) = fields.text("callbackURL") {
            parsed.callbacks.push(address.to_owned());
        } else if let Err(reason) = read(summary, &mut parsed) {
            parsed.problem(reason);
        }
    }
    if parsed == Parsed::default() {
        parsed.problem(Reason::new(Code::MissingField, "there is nothing in it"));
    }
    parsed
}

/// The period and the name that the readings of one summary share.
struct Record {
    start: UnixMicros,
    end: Option<UnixMicros>,
    id: Option<String>,
    finality: Finality,
}

impl Record {
    fn new(fields: Fields<'_>, start: UnixMicros, end: Option<UnixMicros>) -> Self {
        Self { start, end, id: fields.summary_id(), finality: fields.finality() }
    }

    /// Of a summary that says how long its period is.
    fn of_period(fields: Fields<'_>) -> Result<Self, Reason> {
        let start = fields.start()?;
        let end = match fields.amount("durationInSeconds")? {
            Amount::Is(seconds) => fields.after(start, seconds),
            _ => None,
        };
        Ok(Self::new(fields, start, end))
    }

    /// Of a summary that has a date and no time: an hour in some time zone is not known, only the day, the person's own.
    fn of_date(Summary { fields, zone, .. }: Summary<'_>) -> Result<Self, Reason> {
        let date = fields.text("calendarDate");
        let date =
            date.ok_or_else(|| Reason::new(Code::MissingField, "calendarDate is missing or no text"))?;
        let start = midnight(date, zone).ok_or_else(|| {
            Reason::new(Code::InvalidTime, format!("calendarDate {} is no day of 1970 to 2100", Quoted(date)))
        })?;
        Ok(Self::new(fields, start, None))
    }

    fn reading(&self, metric: M, amount: Amount) -> Option<Reading> {
        let (value, text) = match amount {
            Amount::Missing => return None,
            Amount::Unavailable => (None, Some(UNAVAILABLE.into())),
            Amount::Is(value) => (Some(value), None),
        };
        Some(Reading {
            metric,
            value,
            value_text: text,
            start_time: self.start,
            end_time: self.end,
            source_record_id: self.id.clone(),
            finality: self.finality,
        })
    }
}

fn sleep(Summary { fields, .. }: Summary<'_>, parsed: &mut Parsed) -> Result<(), Reason> {
    let start = fields.start()?;
    // Time asleep: awake and unmeasurable time are not in it.
    let asleep = fields.amount("durationInSeconds")?.or(|| {
        let deep = fields.amount("deepSleepDurationInSeconds")?;
        let light = fields.amount("lightSleepDurationInSeconds")?;
        Ok(deep.plus(light).plus(fields.amount("remSleepInSeconds")?))
    })?;
    let end = match asleep {
        Amount::Is(seconds) => {
            let with_gaps = seconds + fields.seconds("awakeDurationInSeconds")? + unmeasurable(fields)?;
            // The stages say when the night ended; a map that ends before the sleep does not hold all of them.
            let least = fields.after(start, seconds);
            end_of_stages(fields, start).filter(|&end| Some(end) >= least).or(fields.after(start, with_gaps))
        }
        _ => end_of_stages(fields, start),
    };
    if asleep == Amount::Missing {
        return Err(Reason::new(Code::MissingField, "a sleep without durationInSeconds and stages"));
    }
    parsed.readings.extend(Record::new(fields, start, end).reading(M::Sleep, asleep.per(60.0)));
    Ok(())
}

/// Garmin's documents spell it in two ways.
fn unmeasurable(fields: Fields<'_>) -> Result<f64, Reason> {
    let short = fields.seconds("unmeasurableSleepInSeconds")?;
    Ok(short.max(fields.seconds("unmeasurableSleepDurationInSeconds")?))
}

/// When the last stage ended, awake ones included.
fn end_of_stages(fields: Fields<'_>, start: UnixMicros) -> Option<UnixMicros> {
    /// Nobody sleeps longer; a stage that seems to is not believed.
    const LONGEST: UnixMicros = 2 * crate::MICROS_PER_DAY;
    let stages = fields.get("sleepLevelsMap")?.as_object()?.values().filter_map(Value::as_array).flatten();
    let ends =
        stages.filter_map(Value::as_object).filter_map(|stage| Fields(stage).time("endTimeInSeconds").ok());
    ends.filter(|&end| end > start && end - start <= LONGEST).max()
}

fn stress(Summary { fields, .. }: Summary<'_>, parsed: &mut Parsed) -> Result<(), Reason> {
    let record = Record::of_period(fields)?;
    // Below zero stand codes: off the wrist, too active, too few samples.
    let levels = mean(fields, "timeOffsetStressLevelValues", 0.0..=f64::INFINITY)?;
    // The device's own average, which Garmin spells in two ways, stands in for levels that did not come.
    let said = fields.amount("averageStressLevel")?.or(|| fields.amount("averageStresslevel"))?;
    let level = if let Amount::Is(_) = levels { levels } else { levels.plus(said) };
    if level == Amount::Missing {
        return Err(Reason::new(Code::MissingField, "a stress summary without levels and average"));
    }
    parsed.readings.extend(record.reading(M::Stress, level));
    Ok(())
}

/// The mean of a field's samples that lie within `range`.
fn mean(fields: Fields<'_>, field: &str, range: RangeInclusive<f64>) -> Result<Amount, Reason> {
    let samples = match fields.get(field) {
        None => return Ok(Amount::Missing),
        Some(Value::Object(samples)) => samples,
        Some(_) => return Err(Reason::new(Code::WrongType, format!("{field} must be an object"))),
    };
    let measured = || samples.values().filter_map(Value::as_f64).filter(|sample| range.contains(sample));
    let (sum, count) = (measured().sum::<f64>(), measured().count());
    Ok(match count {
        0 if samples.is_empty() => Amount::Missing,
        0 => Amount::Unavailable,
        _ => Amount::Is(sum / count as f64),
    })
}

/// The metrics that a plain field of such summaries holds.
fn plain_fields(event_type: &str) -> impl Iterator<Item = (&'static MetricSpec, GarminField)> {
    let fields = METRICS.iter().filter_map(|spec| Some((spec, spec.garmin?)));
    fields.filter(move |(_, field)| field.summary() == event_type)
}

/// A summary whose values are the fields that the table of metrics names. A bad field costs its own reading only.
fn plain(summary: Summary<'_>, parsed: &mut Parsed) -> Result<(), Reason> {
    let record = match summary.event_type {
        "userMetrics" => Record::of_date(summary)?,
        _ => Record::of_period(summary.fields)?,
    };
    for (spec, field) in plain_fields(summary.event_type) {
        match amount(summary.fields, spec, field) {
            Ok(amount) => parsed.readings.extend(record.reading(spec.metric, amount)),
            Err(reason) => parsed.problem(reason),
        }
    }
    Ok(())
}

/// The value in the metric's unit.
fn amount(fields: Fields<'_>, spec: &MetricSpec, field: GarminField) -> Result<Amount, Reason> {
    let (parts, unit) = match field {
        GarminField::Sum(_, parts, unit) => (parts, unit),
        GarminField::Mean(_, samples) => return mean(fields, samples, spec.range.0..=spec.range.1),
    };
    let sum = parts.iter().try_fold(Amount::Missing, |sum, part| Ok(sum.plus(fields.amount(part)?)))?;
    let Amount::Is(value) = sum else { return Ok(sum) };
    to_canonical(spec.metric, value, Some(unit), None)
        .map(Amount::Is)
        .map_err(|error| Reason::new(Code::NotFinite, format!("{}: {error}", parts.join(" + "))))
}

fn midnight(date: &str, zone: &TimeZone) -> Option<UnixMicros> {
    let start = date.parse::<Date>().ok()?.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond();
    crate::providers::ACCEPTED_TIMES.contains(&start).then_some(start)
}

fn deregistration(_: Summary<'_>, parsed: &mut Parsed) -> Result<(), Reason> {
    parsed.change = Some(Change::Disconnected);
    Ok(())
}

fn permissions(Summary { fields, .. }: Summary<'_>, parsed: &mut Parsed) -> Result<(), Reason> {
    /// Garmin knows a handful.
    const MOST: usize = 100;
    let Some(Value::Array(permissions)) = fields.get("permissions") else {
        return Err(Reason::new(Code::WrongType, "permissions must be an array of texts"));
    };
    let permissions = permissions.iter().filter_map(Value::as_str).take(MOST).map(str::to_owned).collect();
    parsed.change = Some(Change::Permissions(permissions));
    Ok(())
}
