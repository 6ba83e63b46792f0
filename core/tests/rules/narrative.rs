//! What people are told: the words for every status, in their units, and never a number that isn't one.

use proptest::prelude::*;
use welltrack_core::forecast::Status;
use welltrack_core::metric::METRICS;
use welltrack_core::narrative::{Story, narrative, recovery_narrative};
use welltrack_core::regression::{Line, Sums};
use welltrack_core::{MICROS_PER_DAY, MetricType};

fn story(metric: MetricType, status: Status) -> Story {
    Story {
        metric,
        status,
        current: Some(77.04),
        target: Some(75.0),
        slope_per_day: Some(-0.2 / 7.0),
        projected: Some(20_588),
        low: Some(20_576),
        high: Some(20_603),
        deadline: None,
        confidence: Some(0.8),
        imperial: false,
    }
}

fn scores(slope: f64) -> Line {
    let mut sums = Sums::default();
    for day in 0..30 {
        sums.push(60.0 + slope * f64::from(day) + f64::from(day * 7 % 5), i64::from(day) * MICROS_PER_DAY);
    }
    sums.line()
}

#[test]
fn each_status_has_its_words() {
    for (status, words) in [
        (
            Status::OnTrack,
            "Based on your current progress (0.2 kg/week average), you're on track to reach your 75 kg target by May 15, 2026. \
             Allowing for day-to-day ups and downs, it could be anywhere from May 3, 2026 to May 30, 2026.",
        ),
        (
            Status::Reached,
            "You've reached your 75 kg target (your latest value is 77 kg). If you like, this could be a good time to choose a \
             new goal.",
        ),
        (
            Status::NotConverging,
            "Your weight hasn't shown a clear trend towards your 75 kg target over the last 30 days. It may help to look at \
             what has changed lately, or to adjust the target.",
        ),
        (
            Status::BeyondHorizon,
            "At your current pace (0.2 kg/week average), your 75 kg target is more than ten years away. A slightly bigger \
             change each week, or a nearer target, may suit you better.",
        ),
        (
            Status::TooFewPoints,
            "There aren't enough readings of your weight in the last 30 days to forecast your 75 kg target yet. A few more \
             days of readings will help.",
        ),
        (
            Status::Calibrating,
            "Your baseline is still being learned. A forecast for your 75 kg target will follow once 14 days of data are in.",
        ),
    ] {
        assert_eq!(narrative(&story(MetricType::Weight, status)), words);
    }
}

#[test]
fn a_deadline_is_compared_with_the_date() {
    let with = |status, deadline| narrative(&Story { deadline, ..story(MetricType::Weight, status) });
    let spread =
        " Allowing for day-to-day ups and downs, it could be anywhere from May 3, 2026 to May 30, 2026.";
    assert_eq!(
        with(Status::OnTrack, Some(20_588)),
        format!(
            "Based on your current progress (0.2 kg/week average), you're on track to reach your 75 kg target by May 15, 2026. \
             That is within your deadline of May 15, 2026.{spread}"
        )
    );
    assert_eq!(
        with(Status::Late, Some(20_567)),
        format!(
            "Based on your current progress (0.2 kg/week average), you would reach your 75 kg target by May 15, 2026, after \
             your deadline of April 24, 2026. A slightly bigger change each week, or a later deadline, may suit you better.\
             {spread}"
        )
    );
    for status in Status::ALL {
        let said = with(status, Some(20_567));
        let dated = matches!(status, Status::OnTrack | Status::Late);
        assert_eq!(said.contains("April 24, 2026"), dated, "{said}");
        assert_eq!(said.contains("on track"), status == Status::OnTrack, "{said}");
    }
}

#[test]
fn what_is_counted_in_the_plural_is_spoken_of_in_the_plural() {
    let plural = [MetricType::Steps, MetricType::Calories, MetricType::ActiveMinutes];
    for spec in &METRICS {
        let said = narrative(&story(spec.metric, Status::NotConverging));
        let (with, without) =
            if plural.contains(&spec.metric) { ("haven't", "hasn't") } else { ("hasn't", "haven't") };
        assert!(said.contains(with) && !said.contains(without), "{said}");
    }
}

#[test]
fn a_recovery_score_rises_falls_or_holds_only_where_its_trend_is_known() {
    let said = |slope: f64| recovery_narrative(&scores(slope)).unwrap();
    assert_eq!(
        said(0.5),
        "Your recovery score is trending upward, which suggests good adaptation to your training load."
    );
    assert_eq!(
        said(-0.5),
        "Your recovery score is trending downward; some lighter days or more sleep may help."
    );
    assert_eq!(said(0.0), "Your recovery score is holding steady.");
    assert_eq!(recovery_narrative(&Line::default()), None);
    let mut two = Sums::default();
    two.push(50.0, 0);
    two.push(90.0, MICROS_PER_DAY);
    assert_eq!(recovery_narrative(&two.line()), None, "two scores are no trend");
}

#[test]
fn an_uncertain_date_is_called_one() {
    let said = |story: Story| narrative(&story);
    let on_track = story(MetricType::Weight, Status::OnTrack);
    assert!(said(Story { confidence: Some(0.29), ..on_track }).ends_with("take the date as a rough guide."));
    assert!(!said(Story { confidence: Some(0.31), ..on_track }).contains("rough guide"));
    assert!(
        said(Story { high: None, ..on_track })
            .ends_with("it could be as early as May 3, 2026, or much later.")
    );
    let exact = Story { low: on_track.projected, high: on_track.projected, ..on_track };
    assert!(said(exact).ends_with("by May 15, 2026."));
}

/// The target and the pace as they are said for a metric.
fn amounts(metric: MetricType, target: f64, slope_per_day: f64, imperial: bool) -> (String, String) {
    let story = Story {
        target: Some(target),
        slope_per_day: Some(slope_per_day),
        imperial,
        ..story(metric, Status::BeyondHorizon)
    };
    let said = narrative(&story);
    let (before, _) = said.split_once(" target is").unwrap();
    let (before, target) = before.rsplit_once("your ").unwrap();
    let (_, pace) = before.split_once('(').unwrap();
    (target.to_owned(), pace.split_once(" average").unwrap().0.to_owned())
}

#[test]
fn numbers_are_said_as_people_say_them() {
    use MetricType::{
        ActiveMinutes, BloodPressure, BodyFat, Distance, Hr, Sleep, Spo2, Steps, Stress, Vo2max, Weight,
    };
    for (metric, target, slope, imperial, said_target, said_pace) in [
        (Weight, 75.0, -0.0286, false, "75 kg", "0.2 kg/week"),
        (Weight, 75.04, 0.0286, false, "75 kg", "0.2 kg/week"),
        (Weight, 75.06, 0.003, false, "75.1 kg", "0.02 kg/week"),
        (Weight, 75.0, -0.0286, true, "165.3 lb", "0.4 lb/week"),
        (Weight, 75.0, 1e-9, false, "75 kg", "less than 0.001 kg/week"),
        (Steps, 10_000.0, 120.4, true, "10,000 steps", "843 steps/week"),
        (Steps, 1_234_567.0, 0.0, true, "1,234,567 steps", "less than 0.001 steps/week"),
        (Distance, 5_000.0, 14.3, false, "5 km", "0.1 km/week"),
        (Distance, 5_000.0, 14.3, true, "3.1 mi", "0.1 mi/week"),
        (Sleep, 450.0, 2.0, false, "7.5 h", "0.2 h/week"),
        (Hr, 52.4, -0.1, false, "52 bpm", "1 bpm/week"),
        (BodyFat, 18.5, -0.02, false, "18.5%", "0.1%/week"),
        (Spo2, 97.0, 0.01, false, "97%", "0.1%/week"),
        (Vo2max, 48.0, 0.05, false, "48 mL/kg/min", "0.4 mL/kg/min/week"),
        (Stress, 25.0, -0.5, false, "25 points", "4 points/week"),
        (ActiveMinutes, 45.0, 0.3, false, "45 min", "2 min/week"),
        (BloodPressure, 120.0, -0.2, false, "120 mmHg", "1 mmHg/week"),
        (Weight, -0.01, 0.1, false, "0 kg", "0.7 kg/week"),
    ] {
        let said = amounts(metric, target, slope, imperial);
        assert_eq!(said, (said_target.to_owned(), said_pace.to_owned()), "{metric} {target} {slope}");
    }
}

proptest! {
    #[test]
    fn whatever_the_numbers_the_words_are_words(
        metric in prop::sample::select(METRICS.iter().map(|spec| spec.metric).collect::<Vec<_>>()),
        status in prop::sample::select(Status::ALL.to_vec()),
        numbers: [Option<f64>; 4],
        days: [Option<i32>; 4],
        imperial: bool,
    ) {
        let [current, target, slope_per_day, confidence] = numbers;
        let [projected, low, high, deadline] = days;
        let story = Story {
            metric, status, current, target, slope_per_day, projected, low, high, deadline, confidence, imperial,
        };
        let said = narrative(&story);
        prop_assert!(!said.contains("NaN") && !said.contains("inf") && !said.contains("  ") && said.len() < 500, "{said}");
        prop_assert!(said.starts_with(|first: char| first.is_ascii_uppercase()) && said.ends_with('.'));
        prop_assert!(!["must", "should", "have to", "need to", "!"].iter().any(|order| said.contains(order)), "{said}");
        prop_assert_eq!(narrative(&story), said);
    }
}
