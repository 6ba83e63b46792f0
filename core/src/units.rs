//! Units, and conversion to the one in which a metric is stored.
//!
//! Unit names are taken as HealthKit, Health Connect and people write them; an unknown one is an error that lists the
//! accepted ones. Whether a value is plausible is [`crate::validate`]'s to say.

use std::fmt;

use crate::metric::{MetricType, Source};
use crate::reason::Quoted;

/// The unit in which a metric is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "`symbol` says it")]
pub enum Unit {
    Minute,
    Score,
    MlPerKgMin,
    Count,
    Bpm,
    Millisecond,
    Kilocalorie,
    Metre,
    Kilogram,
    Percent,
    MmHg,
    BreathsPerMinute,
}

impl Unit {
    /// How the unit is written in the database: the first of its accepted names.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        accepted(self)[0].names[0]
    }
}

/// One unit that is understood: its spellings, and `canonical = value * multiply / divide`. Two numbers instead of one
/// factor keep 90 seconds exactly 1.5 minutes.
struct Accepted {
    names: &'static [&'static str],
    multiply: f64,
    divide: f64,
}

const fn unit(names: &'static [&'static str], multiply: f64, divide: f64) -> Accepted {
    Accepted { names, multiply, divide }
}

/// What is understood where a unit is stored: itself first, under the name that the database has.
///
/// Pounds, feet, inches and miles are the international ones of 1959, the calorie is the thermochemical one, as in
/// HealthKit and Health Connect; a kilopascal is 7.500615... mmHg by the definition of the conventional millimetre.
const fn accepted(unit_kept: Unit) -> &'static [Accepted] {
    match unit_kept {
        Unit::Minute => {
            const {
                &[
                    unit(&["min", "mins", "minute", "minutes"], 1.0, 1.0),
                    unit(&["h", "hr", "hrs", "hour", "hours"], 60.0, 1.0),
                    unit(&["s", "sec", "secs", "second", "seconds"], 1.0, 60.0),
                    unit(&["ms", "millisecond", "milliseconds"], 1.0, 60_000.0),
                ]
            }
        }
        Unit::Millisecond => {
            const {
                &[
                    unit(&["ms", "millisecond", "milliseconds"], 1.0, 1.0),
                    unit(&["s", "sec", "secs", "second", "seconds"], 1_000.0, 1.0),
                ]
            }
        }
        Unit::Score => const { &[unit(&["score", "points"], 1.0, 1.0)] },
        Unit::Count => const { &[unit(&["count", "steps"], 1.0, 1.0)] },
        Unit::Bpm => {
            const {
                &[
                    unit(
                        &["bpm", "count/min", "beats/min", "beats_per_minute", "beats per minute"],
                        1.0,
                        1.0,
                    ),
                    unit(&["count/s", "beats/s", "Hz"], 60.0, 1.0),
                ]
            }
        }
        Unit::BreathsPerMinute => {
            const {
                &[
                    unit(&["breaths/min", "count/min", "breaths_per_minute", "breaths per minute"], 1.0, 1.0),
                    unit(&["count/s", "breaths/s", "Hz"], 60.0, 1.0),
                ]
            }
        }
        Unit::MlPerKgMin => {
            const {
                &[unit(
                    &[
                        "mL/kg/min",
                        "mL/(kg*min)",
                        "mL/kg*min",
                        "mL/min·kg",
                        "mL/(min·kg)",
                        "mL/(kg·min)",
                        "mL/min/kg",
                    ],
                    1.0,
                    1.0,
                )]
            }
        }
        Unit::Kilocalorie => {
            const {
                &[
                    unit(&["kcal", "Cal", "kilocalorie", "kilocalories", "large_calorie"], 1.0, 1.0),
                    unit(&["cal", "small_calorie"], 1.0, 1_000.0),
                    unit(&["kJ", "kilojoule", "kilojoules"], 1.0, 4.184),
                    unit(&["J", "joule", "joules"], 1.0, 4_184.0),
                ]
            }
        }
        Unit::Metre => {
            const {
                &[
                    unit(&["m", "meter", "meters", "metre", "metres"], 1.0, 1.0),
                    unit(&["km", "kilometer", "kilometers", "kilometre", "kilometres"], 1_000.0, 1.0),
                    unit(&["mi", "mile", "miles"], 1_609.344, 1.0),
                    unit(&["ft", "foot", "feet"], 0.3048, 1.0),
                    unit(&["yd", "yard", "yards"], 0.9144, 1.0),
                    unit(&["cm", "centimeter", "centimeters", "centimetre", "centimetres"], 1.0, 100.0),
                    unit(&["in", "inch", "inches"], 0.0254, 1.0),
                ]
            }
        }
        Unit::Kilogram => {
            const {
                &[
                    unit(&["kg", "kilogram", "kilograms"], 1.0, 1.0),
                    unit(&["g", "gram", "grams"], 1.0, 1_000.0),
                    unit(&["lb", "lbs", "pound", "pounds"], 0.453_592_37, 1.0),
                    unit(&["st", "stone", "stones"], 6.350_293_18, 1.0),
                    unit(&["oz", "ounce", "ounces"], 0.028_349_523_125, 1.0),
                ]
            }
        }
        Unit::Percent => {
            const { &[unit(&["%", "percent", "percentage"], 1.0, 1.0), unit(&["fraction", "ratio"], 100.0, 1.0)] }
        }
        Unit::MmHg => {
            const {
                &[
                    unit(&["mmHg", "millimeter_of_mercury", "millimeters_of_mercury"], 1.0, 1.0),
                    unit(&["kPa", "kilopascal", "kilopascals"], 1_000.0, 133.322_387_415),
                ]
            }
        }
    }
}

/// Why a value could not be converted.
#[derive(Clone, Debug, PartialEq)]
pub enum UnitError {
    /// The unit is not one of those that the metric understands. The text is safe to show.
    Unknown {
        /// The metric that was measured.
        metric: MetricType,
        /// The unit that was given, quoted and shortened.
        given: String,
    },
    /// The value is NaN or infinite, or becomes so by conversion.
    NotFinite,
}

impl UnitError {
    /// The units that would have been understood, the stored one first, such as `kg, g, lb, st, oz`.
    #[must_use]
    pub fn accepted(metric: MetricType) -> String {
        let names: Vec<_> = accepted(metric.spec().unit).iter().map(|unit| unit.names[0]).collect();
        names.join(", ")
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitError::Unknown { metric, given } => {
                write!(f, "{given} is not a unit of {metric}; accepted: {}", UnitError::accepted(*metric))
            }
            UnitError::NotFinite => f.write_str("the value is not a finite number"),
        }
    }
}

impl std::error::Error for UnitError {}

/// `value` in the unit in which `metric` is stored.
///
/// A missing unit means the stored one. Capitals don't matter except where they carry meaning: `Cal` is a kilocalorie
/// and `cal` a thousandth of it. HealthKit's percentages run from 0 to 1: from that source a `%` of at most 1 is a
/// fraction, anything above was already on the scale to 100.
///
/// ```
/// use welltrack_core::{MetricType, Source, units::to_canonical};
///
/// assert_eq!(to_canonical(MetricType::Sleep, 7.5, Some("h"), None), Ok(450.0));
/// assert_eq!(to_canonical(MetricType::Spo2, 0.97, Some("%"), Some(Source::Healthkit)), Ok(97.0));
/// assert_eq!(to_canonical(MetricType::Weight, 80.0, None, None), Ok(80.0));
/// ```
///
/// # Errors
///
/// [`UnitError::Unknown`] for a unit of something else, [`UnitError::NotFinite`] for NaN, infinities and overflow.
pub fn to_canonical(
    metric: MetricType,
    value: f64,
    unit: Option<&str>,
    source: Option<Source>,
) -> Result<f64, UnitError> {
    let kept = metric.spec().unit;
    let converted = match unit {
        None => value,
        Some(name) => {
            let unit = find(kept, name)
                .ok_or_else(|| UnitError::Unknown { metric, given: Quoted(name).to_string() })?;
            let fraction = kept == Unit::Percent && source == Some(Source::Healthkit) && value.abs() <= 1.0;
            let multiply = if fraction { 100.0 } else { unit.multiply };
            value * multiply / unit.divide
        }
    };
    if converted.is_finite() { Ok(converted) } else { Err(UnitError::NotFinite) }
}

fn find(kept: Unit, name: &str) -> Option<&'static Accepted> {
    let units = accepted(kept);
    let name = name.trim();
    if let Some(exact) = units.iter().find(|unit| unit.names.contains(&name)) {
        return Some(exact);
    }
    let mut alike =
        units.iter().filter(|unit| unit.names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    // "CAL" could be either calorie: whoever shouts has to be asked.
    match (alike.next(), alike.next()) {
        (Some(unit), None) => Some(unit),
        _ => None,
    }
}
