//! Plausibility, metric by metric, at the ends of each range.

use proptest::prelude::*;
use welltrack_core::metric::{DIASTOLIC_RANGE, METRICS};
use welltrack_core::validate::{Reading, validate};
use welltrack_core::{Code, MICROS_PER_DAY, MetricType, Reason, UnixMicros};

const NOW: UnixMicros = 1_800_000_000_000_000;
const MINUTE: UnixMicros = 60_000_000;

/// A reading that nothing speaks against but perhaps its value.
fn reading(metric: MetricType, value: f64) -> Reading<'static> {
    Reading {
        metric,
        value_num: Some(value),
        value_text: None,
        start_time: Some(NOW - MICROS_PER_DAY),
        end_time: Some(NOW),
        recorded_at: Some(NOW),
    }
}

fn code(reading: &Reading<'_>) -> Result<(), Code> {
    validate(reading, NOW).map_err(|reason| reason.code)
}

#[test]
fn both_ends_of_every_range_count_and_what_lies_beyond_does_not() {
    for spec in METRICS.iter().filter(|spec| spec.metric != MetricType::BloodPressure) {
        let (least, greatest) = spec.range;
        assert_eq!(code(&reading(spec.metric, least)), Ok(()), "{}", spec.label);
        assert_eq!(code(&reading(spec.metric, greatest)), Ok(()), "{}", spec.label);
        for beyond in [least.next_down(), greatest.next_up(), -1.0, 1e300] {
            assert_eq!(code(&reading(spec.metric, beyond)), Err(Code::OutOfRange), "{} {beyond}", spec.label);
        }
    }
}

/// The table of metrics in the README, where the units and ranges stand a second time: label, unit, range.
fn published() -> Vec<[&'static str; 3]> {
    let lines = include_str!("../../../README.md").lines();
    let table = lines.skip_while(|line| !line.starts_with("| metric | stored in | plausible |")).skip(2);
    let rows = table.map_while(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let label = cells.next().and_then(|cell| cell.split('`').next());
        [label, cells.next(), cells.next()].map(|cell| cell.expect("three cells"))
    })
    .collect()
}

#[test]
fn units_and_ranges_are_those_of_the_readme() {
    let published = published();
    for spec in &METRICS {
        let (label, unit) = (spec.label, spec.unit.symbol());
        let [least, greatest] = [spec.range.0, spec.range.1].map(|end| {
            let whole = format!("{end:.0}");
            if whole.len() > 3 {
                format!("{},{}", &whole[..whole.len() - 3], &whole[whole.len() - 3..])
            } else {
                whole
            }
        });
        let range = match spec.metric {
            MetricType::BloodPressure => {
                format!("{least} to {greatest} over {} to {}", DIASTOLIC_RANGE.0, DIASTOLIC_RANGE.1)
            }
            _ => format!("{least} to {greatest}"),
        };
        assert!(
            published.contains(&[label, unit, &range]),
            "README.md's table of metrics lacks: | `{label}` | {unit} | {range} |"
        );
    }
    assert_eq!(published.len(), METRICS.len(), "README.md's table names a metric that `METRICS` doesn't");
}

#[test]
fn a_reason_names_metric_value_range_and_unit() {
    let reason = validate(&reading(MetricType::Steps, 200_000.0), NOW).unwrap_err();
    assert_eq!(reason.to_string(), "out_of_range: steps 200000 is outside 0..100000 count");
    let reason = validate(&reading(MetricType::Steps, -1e300), NOW).unwrap_err();
    assert_eq!(reason.to_string(), "out_of_range: steps -1e300 is outside 0..100000 count");
}

#[test]
fn sleep_must_fit_into_its_night() {
    let night = |minutes, hours: i64| Reading {
        start_time: Some(NOW - hours * 60 * MINUTE),
        ..reading(MetricType::Sleep, minutes)
    };
    assert_eq!(code(&night(480.0, 8)), Ok(()));
    assert_eq!(code(&night(480.0_f64.next_up(), 8)), Err(Code::Inconsistent));
    assert_eq!(code(&night(0.0, 0)), Err(Code::InvalidPeriod));
    assert_eq!(code(&Reading { end_time: None, ..night(400.0, 8) }), Err(Code::MissingField));
}

#[test]
fn blood_pressure_needs_two_pressures_that_agree_with_the_value() {
    let with = |value, text| code(&Reading { value_text: text, ..reading(MetricType::BloodPressure, value) });
    assert_eq!(with(120.0, Some("120/80")), Ok(()));
    assert_eq!(with(120.4, Some("120 / 80.5")), Ok(()));
    assert_eq!(with(70.0, Some("70/40")), Ok(()));
    assert_eq!(with(250.0, Some("250/150")), Ok(()));
    assert_eq!(with(69.0, Some("69/40")), Err(Code::OutOfRange));
    assert_eq!(with(251.0, Some("251/150")), Err(Code::OutOfRange));
    assert_eq!(with(120.0, Some("120/39")), Err(Code::OutOfRange));
    assert_eq!(with(200.0, Some("200/151")), Err(Code::OutOfRange));
    assert_eq!(with(90.0, Some("90/90")), Err(Code::Inconsistent));
    assert_eq!(with(121.0, Some("120/80")), Err(Code::Inconsistent));
    for text in [None, Some(""), Some("120"), Some("120/80/60"), Some("nan/80"), Some("a/b"), Some("/")] {
        assert_eq!(with(120.0, text), Err(Code::Inconsistent), "{text:?}");
    }
    assert_eq!(with(120.0, Some("120/nan")), Err(Code::OutOfRange));
}

#[test]
fn a_reading_without_a_value_never_counts() {
    let without = |text| Reading { value_num: None, value_text: text, ..reading(MetricType::Stress, 0.0) };
    assert_eq!(code(&without(Some("unavailable"))), Err(Code::Unavailable));
    assert_eq!(code(&without(None)), Err(Code::MissingField));
    assert_eq!(code(&without(Some("soon"))), Err(Code::MissingField));
    let both = Reading { value_num: Some(30.0), ..without(Some("unavailable")) };
    assert_eq!(code(&both), Err(Code::Inconsistent));
}

#[test]
fn the_future_begins_a_day_after_the_reading_was_recorded_or_looked_at() {
    let at = |start, recorded_at| {
        code(&Reading {
            start_time: Some(start),
            end_time: None,
            recorded_at,
            ..reading(MetricType::Weight, 80.0)
        })
    };
    assert_eq!(at(NOW + MICROS_PER_DAY, None), Ok(()));
    assert_eq!(at(NOW + MICROS_PER_DAY + 1, None), Err(Code::InFuture));
    assert_eq!(at(NOW, Some(NOW - MICROS_PER_DAY)), Ok(()));
    assert_eq!(at(NOW, Some(NOW - MICROS_PER_DAY - 1)), Err(Code::InFuture));
    // A clock in the future vouches for nothing.
    assert_eq!(at(NOW + 2 * MICROS_PER_DAY, Some(NOW + 9 * MICROS_PER_DAY)), Err(Code::InFuture));
}

#[test]
fn times_that_make_no_period_are_refused() {
    let steps = reading(MetricType::Steps, 1.0);
    assert_eq!(code(&Reading { start_time: None, ..steps }), Err(Code::MissingField));
    assert_eq!(
        code(&Reading { end_time: Some(NOW - 2 * MICROS_PER_DAY), ..steps }),
        Err(Code::EndBeforeStart)
    );
    assert_eq!(code(&Reading { end_time: Some(i64::MAX), ..steps }), Err(Code::TimeOutOfRange));
    assert_eq!(code(&Reading { start_time: Some(i64::MIN), ..steps }), Err(Code::TimeOutOfRange));
}

#[test]
fn nan_and_infinities_never_count() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(code(&reading(MetricType::Hr, value)), Err(Code::NotFinite));
    }
}

proptest! {
    #[test]
    fn any_reading_is_answered_and_only_plausible_ones_count(
        index in 0..METRICS.len(),
        value_num in proptest::option::of(any::<f64>()),
        value_text in proptest::option::of("[0-9.]{0,4}/[0-9.]{0,4}|unavailable|.{0,60}"),
        start_time in proptest::option::of(any::<i64>()),
        end_time in proptest::option::of(any::<i64>()),
        recorded_at in proptest::option::of(any::<i64>()),
        now in any::<i64>(),
    ) {
        let metric = METRICS[index].metric;
        let reading =
            Reading { metric, value_num, value_text: value_text.as_deref(), start_time, end_time, recorded_at };
        match validate(&reading, now) {
            Ok(()) => {
                let (least, greatest) = metric.spec().range;
                prop_assert!(value_num.is_some_and(|value| (least..=greatest).contains(&value)));
                prop_assert!(start_time.is_some());
            }
            Err(reason) => prop_assert!(is_bounded(&reason)),
        }
    }
}

fn is_bounded(reason: &Reason) -> bool {
    reason.to_string().starts_with(reason.code.as_str()) && reason.to_string().len() < 500
}
