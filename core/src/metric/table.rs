//! The one table of facts about metrics.
//!
//! Promises: a fact stands here once. Stops at facts; the words of its columns are explained in [`super::MetricSpec`].

use super::Aggregate::{Mean, Sum};
use super::Anchor::{End, Start};
use super::Facet::{self, Diastolic, Rmssd, Sdnn, StagesOnly, Systolic, Whole};
use super::{Aggregate, Anchor, MetricSpec, MetricType, MetricType as M, Unit};

const fn line(
    metric: MetricType,
    label: &'static str,
    unit: Unit,
    range: (f64, f64),
    aggregate: Aggregate,
    anchor: Anchor,
    aliases: &'static [(&'static str, Facet)],
) -> MetricSpec {
    MetricSpec { metric, label, unit, range, aggregate, anchor, aliases }
}

/// Every metric. Source of the ranges and units: the project's data model, "Metrics: canonical units and ranges".
#[rustfmt::skip] // a table is read by its columns
pub const METRICS: [MetricSpec; 13] = [
    line(M::Sleep, "sleep", Unit::Minute, (0.0, 960.0), Sum, End, &[
        ("SleepSessionRecord", Whole),
        ("HKCategoryTypeIdentifierSleepAnalysis", StagesOnly),
    ]),
    line(M::Stress, "stress", Unit::Score, (0.0, 100.0), Mean, Start, &[]),
    line(M::Vo2max, "vo2max", Unit::MlPerKgMin, (10.0, 90.0), Mean, Start, &[
        ("HKQuantityTypeIdentifierVO2Max", Whole),
        ("Vo2MaxRecord", Whole),
    ]),
    line(M::Steps, "steps", Unit::Count, (0.0, 100_000.0), Sum, Start, &[
        ("HKQuantityTypeIdentifierStepCount", Whole),
        ("StepsRecord", Whole),
    ]),
    // A stored heart rate is the resting one, so its range is the resting range.
    line(M::Hr, "hr", Unit::Bpm, (30.0, 100.0), Mean, Start, &[
        ("HKQuantityTypeIdentifierRestingHeartRate", Whole),
        ("RestingHeartRateRecord", Whole),
    ]),
    line(M::Hrv, "hrv", Unit::Millisecond, (10.0, 200.0), Mean, Start, &[
        ("hrv_rmssd", Rmssd),
        ("hrv_sdnn", Sdnn),
        ("HKQuantityTypeIdentifierHeartRateVariabilitySDNN", Sdnn),
        ("HeartRateVariabilityRmssdRecord", Rmssd),
    ]),
    line(M::Calories, "calories", Unit::Kilocalorie, (0.0, 10_000.0), Sum, Start, &[
        ("TotalCaloriesBurnedRecord", Whole),
    ]),
    line(M::Distance, "distance", Unit::Metre, (0.0, 100_000.0), Sum, Start, &[
        ("HKQuantityTypeIdentifierDistanceWalkingRunning", Whole),
        ("DistanceRecord", Whole),
    ]),
    line(M::ActiveMinutes, "active_minutes", Unit::Minute, (0.0, 1_440.0), Sum, Start, &[
        ("HKQuantityTypeIdentifierAppleExerciseTime", Whole),
    ]),
    line(M::Weight, "weight", Unit::Kilogram, (20.0, 300.0), Mean, Start, &[
        ("HKQuantityTypeIdentifierBodyMass", Whole),
        ("WeightRecord", Whole),
    ]),
    line(M::BodyFat, "body_fat", Unit::Percent, (3.0, 60.0), Mean, Start, &[
        ("HKQuantityTypeIdentifierBodyFatPercentage", Whole),
        ("BodyFatRecord", Whole),
    ]),
    // The range is the systolic one; `DIASTOLIC_RANGE` holds the other.
    line(M::BloodPressure, "blood_pressure", Unit::MmHg, (70.0, 250.0), Mean, Start, &[
        ("BloodPressureRecord", Whole),
        ("blood_pressure_systolic", Systolic),
        ("blood_pressure_diastolic", Diastolic),
        ("HKQuantityTypeIdentifierBloodPressureSystolic", Systolic),
        ("HKQuantityTypeIdentifierBloodPressureDiastolic", Diastolic),
    ]),
    line(M::Spo2, "spo2", Unit::Percent, (70.0, 100.0), Mean, Start, &[
        ("HKQuantityTypeIdentifierOxygenSaturation", Whole),
        ("OxygenSaturationRecord", Whole),
    ]),
];

/// The plausible diastolic pressure in mmHg, both ends included; [`METRICS`] holds the systolic one.
pub const DIASTOLIC_RANGE: (f64, f64) = (40.0, 150.0);
