//! Units: what people and phones write, and back again.

use proptest::prelude::*;
use welltrack_core::metric::METRICS;
use welltrack_core::units::{UnitError, to_canonical};
use welltrack_core::{MetricType, Source};

fn convert(metric: MetricType, value: f64, unit: &str) -> f64 {
    to_canonical(metric, value, Some(unit), None).expect(unit)
}

#[test]
fn every_accepted_unit_converts_as_its_definition_says() {
    use MetricType::{
        BloodPressure, BodyFat, Calories, Distance, Hr, Hrv, Sleep, Spo2, Steps, Vo2max, Weight,
    };
    for (metric, value, unit, expected) in [
        (Sleep, 7.5, "h", 450.0),
        (Sleep, 90.0, "s", 1.5),
        (Sleep, 90_000.0, "ms", 1.5),
        (Hrv, 0.045, "s", 45.0),
        (Hrv, 45.0, "ms", 45.0),
        (Weight, 100.0, "lb", 45.359_237),
        (Weight, 11.0, "st", 69.853_224_98),
        (Weight, 80_500.0, "g", 80.5),
        (Distance, 26.2, "mi", 42_164.812_8),
        (Distance, 5.0, "km", 5_000.0),
        (Distance, 100.0, "yd", 91.44),
        (Distance, 1_000.0, "ft", 304.8),
        (Calories, 4_184.0, "kJ", 1_000.0),
        (Calories, 2_000.0, "Cal", 2_000.0),
        (Calories, 2_000.0, "cal", 2.0),
        (Hr, 60.0, "count/min", 60.0),
        (Hr, 1.0, "count/s", 60.0),
        (Steps, 10.0, "count", 10.0),
        (Spo2, 0.97, "fraction", 97.0),
        (BodyFat, 21.0, "%", 21.0),
        (BloodPressure, 16.0, "kPa", 120.009_852),
        (Vo2max, 44.0, "mL/min·kg", 44.0),
        (Vo2max, 44.0, "ml/(kg*min)", 44.0),
    ] {
        let converted = convert(metric, value, unit);
        assert!(
            (converted - expected).abs() <= expected * 1e-7,
            "{value} {unit} = {converted}, not {expected}"
        );
    }
}

#[test]
fn capitals_matter_only_where_they_carry_meaning() {
    assert_eq!(convert(MetricType::Weight, 80.0, "KG"), 80.0);
    assert_eq!(convert(MetricType::Weight, 1.0, "POUND"), 0.453_592_37);
    assert_eq!(convert(MetricType::BloodPressure, 120.0, "mmhg"), 120.0);
    assert_eq!(convert(MetricType::Hr, 60.0, "BEATS_PER_MINUTE"), 60.0);
    assert!(to_canonical(MetricType::Calories, 1.0, Some("CAL"), None).is_err());
}

#[test]
fn a_healthkit_percentage_up_to_one_is_a_fraction() {
    let percent = |value, source| to_canonical(MetricType::Spo2, value, Some("%"), source);
    assert_eq!(percent(0.97, Some(Source::Healthkit)), Ok(97.0));
    assert_eq!(percent(1.0, Some(Source::Healthkit)), Ok(100.0));
    assert_eq!(percent(97.0, Some(Source::Healthkit)), Ok(97.0));
    assert_eq!(percent(0.97, Some(Source::HealthConnect)), Ok(0.97));
    assert_eq!(percent(0.97, None), Ok(0.97));
    // A fraction is one wherever it comes from, and only once.
    assert_eq!(to_canonical(MetricType::Spo2, 0.97, Some("fraction"), Some(Source::Healthkit)), Ok(97.0));
}

#[test]
fn the_unit_of_something_else_is_refused_with_the_accepted_ones() {
    let error = to_canonical(MetricType::Weight, 80.0, Some("mi\u{0}"), None).unwrap_err().to_string();
    assert_eq!(error, r#""mi\0" is not a unit of weight; accepted: kg, g, lb, st, oz"#);
}

#[test]
fn what_is_no_finite_number_never_gets_through() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(to_canonical(MetricType::Weight, value, None, None), Err(UnitError::NotFinite));
    }
    assert_eq!(to_canonical(MetricType::Distance, 1e308, Some("mi"), None), Err(UnitError::NotFinite));
}

proptest! {
    #[test]
    fn the_stored_unit_changes_nothing(index in 0..METRICS.len(), value in -1e12..1e12_f64) {
        let spec = &METRICS[index];
        prop_assert_eq!(to_canonical(spec.metric, value, None, None), Ok(value));
        prop_assert_eq!(to_canonical(spec.metric, value, Some(spec.unit.symbol()), None), Ok(value));
    }

    #[test]
    fn conversion_back_gives_the_value_again(index in 0..METRICS.len(), value in 1e-3..1e9_f64) {
        let metric = METRICS[index].metric;
        for unit in UnitError::accepted(metric).split(", ") {
            let factor = convert(metric, 1.0, unit);
            let back = convert(metric, value, unit) / factor;
            prop_assert!((back - value).abs() <= value * 1e-12, "{} {}", value, unit);
        }
    }

    #[test]
    fn conversion_keeps_the_order_of_values(index in 0..METRICS.len(), a in -1e9..1e9_f64, b in -1e9..1e9_f64) {
        let metric = METRICS[index].metric;
        for unit in UnitError::accepted(metric).split(", ") {
            prop_assert_eq!(convert(metric, a, unit) <= convert(metric, b, unit), a <= b);
        }
    }

    #[test]
    fn any_name_is_answered(index in 0..METRICS.len(), name in "\\PC{0,30}|.{0,5}") {
        let _ = to_canonical(METRICS[index].metric, 1.0, Some(&name), Some(Source::Healthkit));
    }
}
