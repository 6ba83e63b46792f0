//! The one table of metrics. An entry here makes the variant of [`MetricType`] and its line of [`METRICS`].
//!
//! The columns are explained at [`MetricSpec`]; the compiler names a column that an entry lacks.

use super::Aggregate::{Mean, Sum};
use super::Anchor::{End, Start};
use super::Facet::{Diastolic, Rmssd, Sdnn, StagesOnly, Systolic, Whole};
use super::{GarminField, MetricSpec, Words};
use crate::units::Unit;

macro_rules! metrics {
    ($($(#[$doc:meta])* $metric:ident { $($column:ident: $fact:expr,)* })*) => {
        /// The metrics of `wt_health_metrics.metric_type`, in the order of the database's enum and of [`METRICS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum MetricType { $($(#[$doc])* $metric,)* }

        /// Every metric, in the order of [`MetricType`].
        ///
        /// Source of the ranges and units: the project's data model, "Metrics: canonical units and ranges".
        pub const METRICS: [MetricSpec; COUNT] = [$(MetricSpec { metric: MetricType::$metric, $($column: $fact,)* },)*];

        const COUNT: usize = [$(MetricType::$metric),*].len();
    };
}

/// Words for a metric whose unit is the same for everybody.
const fn words(name: &'static str, in_sentence: &'static str, unit: &'static str, decimals: usize) -> Words {
    Words { name, in_sentence, plural: false, unit, imperial: unit, decimals }
}

metrics! {
    /// Time asleep, without what was spent awake in bed.
    Sleep {
        label: "sleep", unit: Unit::Minute, range: (0.0, 960.0), aggregate: Sum, anchor: End,
        words: words("sleep", "sleep", "h", 1),
        phones: &[("SleepSessionRecord", Whole), ("HKCategoryTypeIdentifierSleepAnalysis", StagesOnly)],
        garmin: None,
        strava: &[],
        log_keys: "sleep",
    }
    /// The stress that a device estimates.
    Stress {
        label: "stress", unit: Unit::Score, range: (0.0, 100.0), aggregate: Mean, anchor: Start,
        words: words("stress", "stress score", "points", 0),
        phones: &[],
        garmin: None,
        strava: &[],
        log_keys: "stress",
    }
    /// Maximal oxygen uptake.
    Vo2max {
        label: "vo2max", unit: Unit::MlPerKgMin, range: (10.0, 90.0), aggregate: Mean, anchor: Start,
        words: words("VO2 max", "VO2 max", "mL/kg/min", 1),
        phones: &[("HKQuantityTypeIdentifierVO2Max", Whole), ("Vo2MaxRecord", Whole)],
        garmin: Some(GarminField::Sum("userMetrics", &["vo2Max"], "mL/kg/min")),
        strava: &["vo2max", "vo2_max"],
        log_keys: "vo2",
    }
    /// Steps walked.
    Steps {
        label: "steps", unit: Unit::Count, range: (0.0, 100_000.0), aggregate: Sum, anchor: Start,
        words: Words { plural: true, ..words("steps", "daily steps", "steps", 0) },
        phones: &[("HKQuantityTypeIdentifierStepCount", Whole), ("StepsRecord", Whole)],
        garmin: Some(GarminField::Sum("dailies", &["steps"], "count")),
        strava: &[],
        log_keys: "steps",
    }
    /// The resting heart rate, hence its range.
    Hr {
        label: "hr", unit: Unit::Bpm, range: (30.0, 100.0), aggregate: Mean, anchor: Start,
        words: words("resting heart rate", "resting heart rate", "bpm", 0),
        phones: &[("HKQuantityTypeIdentifierRestingHeartRate", Whole), ("RestingHeartRateRecord", Whole)],
        garmin: Some(GarminField::Sum("dailies", &["restingHeartRateInBeatsPerMinute"], "bpm")),
        strava: &[],
        log_keys: "heart|(^|_)hr(_|$)|bpm",
    }
    /// Heart rate variability.
    Hrv {
        label: "hrv", unit: Unit::Millisecond, range: (10.0, 200.0), aggregate: Mean, anchor: Start,
        words: words("heart rate variability", "heart rate variability", "ms", 0),
        phones: &[
            ("hrv_rmssd", Rmssd),
            ("hrv_sdnn", Sdnn),
            ("HKQuantityTypeIdentifierHeartRateVariabilitySDNN", Sdnn),
            ("HeartRateVariabilityRmssdRecord", Rmssd),
        ],
        garmin: None,
        strava: &[],
        log_keys: "hrv",
    }
    /// Energy burned, that of the body at rest included.
    Calories {
        label: "calories", unit: Unit::Kilocalorie, range: (0.0, 10_000.0), aggregate: Sum, anchor: Start,
        words: Words { plural: true, ..words("calories", "daily calories", "kcal", 0) },
        phones: &[("TotalCaloriesBurnedRecord", Whole)],
        garmin: Some(GarminField::Sum("dailies", &["activeKilocalories", "bmrKilocalories"], "kcal")),
        // What the exercise burned; a source that sees the whole day outranks Strava for that day.
        strava: &["calories"],
        log_keys: "calorie",
    }
    /// Distance covered on foot.
    Distance {
        label: "distance", unit: Unit::Metre, range: (0.0, 100_000.0), aggregate: Sum, anchor: Start,
        words: Words { imperial: "mi", ..words("distance", "daily distance", "km", 1) },
        phones: &[("HKQuantityTypeIdentifierDistanceWalkingRunning", Whole), ("DistanceRecord", Whole)],
        garmin: Some(GarminField::Sum("dailies", &["distanceInMeters"], "m")),
        strava: &["distance"],
        log_keys: "distance",
    }
    /// Minutes of moderate or vigorous activity.
    ActiveMinutes {
        label: "active_minutes", unit: Unit::Minute, range: (0.0, 1_440.0), aggregate: Sum, anchor: Start,
        words: Words { plural: true, ..words("active minutes", "active minutes", "min", 0) },
        phones: &[("HKQuantityTypeIdentifierAppleExerciseTime", Whole)],
        garmin: Some(GarminField::Sum(
            "dailies",
            &["moderateIntensityDurationInSeconds", "vigorousIntensityDurationInSeconds"],
            "s",
        )),
        strava: &[],
        log_keys: "active_?minutes",
    }
    /// Body weight.
    Weight {
        label: "weight", unit: Unit::Kilogram, range: (20.0, 300.0), aggregate: Mean, anchor: Start,
        words: Words { imperial: "lb", ..words("weight", "weight", "kg", 1) },
        phones: &[("HKQuantityTypeIdentifierBodyMass", Whole), ("WeightRecord", Whole)],
        garmin: None,
        strava: &[],
        log_keys: "weight",
    }
    /// Body fat as a share of the weight.
    BodyFat {
        label: "body_fat", unit: Unit::Percent, range: (3.0, 60.0), aggregate: Mean, anchor: Start,
        words: words("body fat", "body fat", "%", 1),
        phones: &[("HKQuantityTypeIdentifierBodyFatPercentage", Whole), ("BodyFatRecord", Whole)],
        garmin: None,
        strava: &[],
        log_keys: "body_?fat",
    }
    /// Blood pressure: the value and its range are the systolic one; [`DIASTOLIC_RANGE`] is the other range.
    BloodPressure {
        label: "blood_pressure", unit: Unit::MmHg, range: (70.0, 250.0), aggregate: Mean, anchor: Start,
        words: words("blood pressure", "systolic blood pressure", "mmHg", 0),
        phones: &[
            ("BloodPressureRecord", Whole),
            ("blood_pressure_systolic", Systolic),
            ("blood_pressure_diastolic", Diastolic),
            ("HKQuantityTypeIdentifierBloodPressureSystolic", Systolic),
            ("HKQuantityTypeIdentifierBloodPressureDiastolic", Diastolic),
        ],
        garmin: None,
        strava: &[],
        log_keys: "pressure",
    }
    /// Blood oxygen saturation.
    Spo2 {
        label: "spo2", unit: Unit::Percent, range: (70.0, 100.0), aggregate: Mean, anchor: Start,
        words: words("blood oxygen", "blood oxygen", "%", 1),
        phones: &[("HKQuantityTypeIdentifierOxygenSaturation", Whole), ("OxygenSaturationRecord", Whole)],
        garmin: None,
        strava: &[],
        log_keys: "spo2",
    }
    /// Breaths a minute.
    RespiratoryRate {
        label: "respiratory_rate", unit: Unit::BreathsPerMinute, range: (4.0, 60.0), aggregate: Mean, anchor: Start,
        words: words("respiratory rate", "respiratory rate", "breaths/min", 1),
        phones: &[("HKQuantityTypeIdentifierRespiratoryRate", Whole), ("RespiratoryRateRecord", Whole)],
        garmin: Some(GarminField::Mean("allDayRespiration", "timeOffsetEpochToBreaths")),
        strava: &[],
        log_keys: "respirat|breath",
    }
}

/// The plausible diastolic pressure in mmHg, both ends included; [`METRICS`] holds the systolic one.
pub const DIASTOLIC_RANGE: (f64, f64) = (40.0, 150.0);
