//! Intensity factors: what counts before what, and that every word and number has one.

use proptest::prelude::*;
use welltrack_core::training::{DEFAULT_INTENSITY, intensity_factor};

proptest! {
    #[test]
    fn every_workout_has_a_factor_on_the_scale(
        exertion: Option<i32>, hr: Option<f64>, age: Option<f64>, workout_type in ".{0,80}",
    ) {
        let factor = intensity_factor(exertion, hr, age, &workout_type);
        prop_assert!((0.5..=10.0).contains(&factor), "{factor}");
    }

    #[test]
    fn what_the_person_said_counts_before_everything_else(exertion in 1..=10_i32, hr: Option<f64>, age: Option<f64>) {
        prop_assert_eq!(intensity_factor(Some(exertion), hr, age, "Yoga"), f64::from(exertion));
    }

    #[test]
    fn a_higher_heart_rate_or_a_higher_age_never_lowers_the_factor(
        hr in 20.0..249.0, age in 5.0..119.0, more in 0.0..1.0,
    ) {
        let factor = intensity_factor(None, Some(hr), Some(age), "Run");
        prop_assert!(intensity_factor(None, Some(hr + more), Some(age), "Run") >= factor);
        prop_assert!(intensity_factor(None, Some(hr), Some(age + more), "Run") >= factor);
        prop_assert!((1.0..=10.0).contains(&factor));
    }
}

#[test]
fn heart_rate_counts_only_with_an_age_and_when_both_are_possible() {
    let factor = |hr, age| intensity_factor(None, hr, age, "Yoga");
    // The maximum at 40 is 180: a share of 55% is the middle of the first zone, 95% that of the fifth.
    for (hr, expected) in [(99.0, 2.0), (117.0, 4.0), (153.0, 8.0), (171.0, 10.0), (180.0, 10.0), (60.0, 1.0)]
    {
        assert!((factor(Some(hr), Some(40.0)) - expected).abs() < 1e-9, "{hr}");
    }
    // Tanaka's maximum at 20 is 194, not the 200 of "220 less age".
    assert!((factor(Some(0.75 * 194.0), Some(20.0)) - 6.0).abs() < 1e-9);
    let by_type = factor(None, None);
    for (hr, age) in [
        (Some(150.0), None),
        (None, Some(40.0)),
        (Some(0.0), Some(40.0)),
        (Some(f64::NAN), Some(40.0)),
        (Some(f64::INFINITY), Some(40.0)),
        (Some(150.0), Some(-1.0)),
        (Some(150.0), Some(297.0)),
        (Some(150.0), Some(f64::NAN)),
    ] {
        assert_eq!(factor(hr, age), by_type, "{hr:?} {age:?}");
    }
}

#[test]
fn exertion_beyond_the_scale_is_moved_to_its_end() {
    for (exertion, factor) in [(0, 0.5), (-1, 0.5), (i32::MIN, 0.5), (11, 10.0), (i32::MAX, 10.0)] {
        assert_eq!(intensity_factor(Some(exertion), None, None, "Run"), factor);
    }
}

#[test]
fn a_type_is_understood_however_its_words_are_joined() {
    for (workout_type, factor) in [
        ("HighIntensityIntervalTraining", 8.0),
        ("TrailRun", 6.0),
        ("trail_run", 6.0),
        ("RUNNING", 6.0),
        ("Morning run", 6.0),
        ("VirtualRide", 5.0),
        ("EBikeRide", 3.0),
        ("Table Tennis", 3.0),
        ("Tennis", 5.0),
        ("WeightTraining", 5.0),
        ("Walk", 3.0),
        ("yoga", 2.0),
        // No words of these begin as those do.
        ("Crunches", DEFAULT_INTENSITY),
        ("Brow lift", DEFAULT_INTENSITY),
        ("", DEFAULT_INTENSITY),
        ("瑜伽", DEFAULT_INTENSITY),
    ] {
        assert_eq!(intensity_factor(None, None, None, workout_type), factor, "{workout_type}");
    }
}
