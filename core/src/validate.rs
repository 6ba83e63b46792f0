//! Whether one stored reading is plausible.
//!
//! Promises: the same answer for the same reading wherever it is asked, and a reason a person understands. Stops at one
//! reading: whether it fits the person's other readings is a question for baselines.
//!
//! Source of the rules: the project's data model, "Metrics: canonical units and ranges".

use crate::metric::{DIASTOLIC_RANGE, MetricType};
use crate::reason::{Code, Quoted, Reason};
use crate::{MICROS_PER_DAY, UnixMicros};

/// What a provider that has no value for a period leaves in `value_text`.
pub const UNAVAILABLE: &str = "unavailable";

/// A reading as it is stored: canonical unit, times in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// What was measured.
    pub metric: MetricType,
    /// The value in the metric's stored unit.
    pub value_num: Option<f64>,
    /// What a number can't say: `120/80`, `rmssd`, `unavailable`.
    pub value_text: Option<&'a str>,
    /// When the period began.
    pub start_time: Option<UnixMicros>,
    /// When it ended.
    pub end_time: Option<UnixMicros>,
    /// When the device or the app says that it recorded the reading.
    pub recorded_at: Option<UnixMicros>,
}

/// Judges a reading at the instant `now`.
///
/// A reading without a value (`unavailable`) is refused too: it is kept, so that one sees that the provider answered,
/// but it counts nowhere.
///
/// # Errors
///
/// The first [`Reason`] that speaks against the reading.
pub fn validate(reading: &Reading<'_>, now: UnixMicros) -> Result<(), Reason> {
    check_times(reading, now)?;
    let value = check_presence(reading)?;
    check_range(reading.metric, value)?;
    match reading.metric {
        MetricType::Sleep => check_sleep(reading, value),
        MetricType::BloodPressure => check_blood_pressure(reading, value),
        _ => Ok(()),
    }
}

fn check_times(reading: &Reading<'_>, now: UnixMicros) -> Result<(), Reason> {
    let start =
        reading.start_time.ok_or_else(|| Reason::new(Code::MissingField, "a reading needs a start_time"))?;
    let hashable = crate::dedupe::MIN_TIME..=crate::dedupe::MAX_TIME;
    if ![Some(start), reading.end_time].into_iter().flatten().all(|time| hashable.contains(&time)) {
        return Err(Reason::new(Code::TimeOutOfRange, "a reading's time must lie in the years 1 to 9999"));
    }
    if reading.end_time.is_some_and(|end| end < start) {
        return Err(Reason::new(Code::EndBeforeStart, "end_time lies before start_time"));
    }
    // A client's clock can't vouch for the future. One day of grace, because a local day may already have begun.
    let seen = reading.recorded_at.map_or(now, |recorded| recorded.min(now));
    if start > seen.saturating_add(MICROS_PER_DAY) {
        return Err(Reason::new(
            Code::InFuture,
            "start_time is more than a day after the reading was recorded",
        ));
    }
    Ok(())
}

fn check_presence(reading: &Reading<'_>) -> Result<f64, Reason> {
    let unavailable = reading.value_text == Some(UNAVAILABLE);
    match reading.value_num {
        None if unavailable => {
            Err(Reason::new(Code::Unavailable, "the provider had no value for this period"))
        }
        None => Err(Reason::new(Code::MissingField, "a reading without value_num must say 'unavailable'")),
        Some(_) if unavailable => {
            Err(Reason::new(Code::Inconsistent, "a value came with the text 'unavailable'"))
        }
        Some(value) if !value.is_finite() => {
            Err(Reason::new(Code::NotFinite, "the value is not a finite number"))
        }
        Some(value) => Ok(value),
    }
}

fn check_range(metric: MetricType, value: f64) -> Result<(), Reason> {
    let spec = metric.spec();
    within(spec.label, value, spec.range, spec.unit.symbol())
}

fn within(name: &str, value: f64, (least, greatest): (f64, f64), unit: &str) -> Result<(), Reason> {
    if (least..=greatest).contains(&value) {
        return Ok(());
    }
    Err(Reason::new(
        Code::OutOfRange,
        format!("{name} {} is outside {least}..{greatest} {unit}", Shown(value)),
    ))
}

fn check_sleep(reading: &Reading<'_>, minutes: f64) -> Result<(), Reason> {
    const MICROS_PER_MINUTE: f64 = 60_000_000.0;
    let (Some(start), Some(end)) = (reading.start_time, reading.end_time) else {
        return Err(Reason::new(Code::MissingField, "sleep needs an end_time"));
    };
    if end == start {
        return Err(Reason::new(Code::InvalidPeriod, "sleep can't begin and end at the same instant"));
    }
    let period = (end - start) as f64 / MICROS_PER_MINUTE;
    if minutes > period {
        return Err(Reason::new(
            Code::Inconsistent,
            format!("{} minutes asleep don't fit into {} minutes", Shown(minutes), Shown(period)),
        ));
    }
    Ok(())
}

fn check_blood_pressure(reading: &Reading<'_>, value: f64) -> Result<(), Reason> {
    let text = reading.value_text.unwrap_or_default();
    let parts = text.split_once('/').and_then(|(systolic, diastolic)| {
        Some((systolic.trim().parse::<f64>().ok()?, diastolic.trim().parse::<f64>().ok()?))
    });
    let Some((systolic, diastolic)) = parts else {
        return Err(Reason::new(
            Code::Inconsistent,
            format!("blood_pressure needs a value_text like 120/80, not {}", Quoted(text)),
        ));
    };
    // Half a unit, so that a text in whole mmHg may stand beside a converted value. A NaN agrees with nothing.
    let agree = (systolic - value).abs() <= 0.5;
    if !agree {
        return Err(Reason::new(Code::Inconsistent, "value_num is not the systolic pressure in value_text"));
    }
    within("diastolic", diastolic, DIASTOLIC_RANGE, "mmHg")?;
    if systolic <= diastolic {
        return Err(Reason::new(Code::Inconsistent, "the systolic pressure must be above the diastolic one"));
    }
    Ok(())
}

/// A number as people write it; with an exponent where it would have 300 digits.
pub(crate) struct Shown(pub(crate) f64);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = self.0 == 0.0 || (1e-5..1e15).contains(&self.0.abs());
        if plain { write!(f, "{}", self.0) } else { write!(f, "{:e}", self.0) }
    }
}
