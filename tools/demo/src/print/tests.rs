//! A report as wide as it gets fits its columns, and says what was meant.

use super::super::api::{Answer, Member, Metric, Refused, Rejection};
use super::super::chapter::{Sync, batches};
use super::super::generate;
use super::super::people::PEOPLE;
use super::super::recovery::{Day, Forecast, Recovery};
use super::table::WIDTH;
use super::*;
use crate::api::FromSource;
use crate::weights::tests::todays;
use console::measure_text_width;
use uuid::Uuid;

fn scored(score: f64) -> Day {
    Day { status: "scored".into(), score: Some(score), components: [Some(100.0), None, None, Some(100.0)] }
}

/// A report as wide as it gets.
fn crowded() -> Report {
    let chapter = |(person, history): (&'static _, _)| {
        let batches = batches(person, &history).expect("batches");
        let rejection = Rejection { index: 0, reason: format!("out_of_range: {}", "long story ".repeat(30)) };
        let answer = Answer {
            received: 10_000,
            inserted: 10_000,
            updated: 10_000,
            unchanged: 10_000,
            merged: 10_000,
            rejected: 10_000,
            rejections: vec![rejection],
        };
        let sync =
            |(what, records)| Sync { what, records, answer: answer.clone(), took: Duration::from_millis(1) };
        let metric = |mean: Option<f64>, status: &str| Metric {
            name: "blood_pressure".into(),
            unit: "mL/kg/min".into(),
            stored: 60,
            counted: 60,
            days: (0..60).map(|day| (day % 7 != 0).then_some(f64::from(day))).collect(),
            mean,
            spread: mean,
            baseline_days: 9,
            status: status.into(),
        };
        Chapter {
            person,
            history,
            member: Member { user_id: Uuid::nil(), profile_id: Uuid::nil() },
            modules: 10,
            syncs: batches.into_iter().map(sync).collect(),
            refused: vec![Refused {
                metric: "blood_pressure".into(),
                value: 99_999.0,
                unit: "mL/kg/min".into(),
                day: "2091-05-01".into(),
                reason: "in_future: later".into(),
            }],
            metrics: vec![metric(Some(99_999.0), "in_progress"), metric(None, "pending")],
            visible: 123_456,
            recovery: Recovery {
                days: (0..60).map(|day| (day % 7 != 0).then(|| scored(f64::from(day) * 1.7))).collect(),
                forecasts: vec![Forecast {
                    metric: "blood_pressure".into(),
                    target: 99_999.0,
                    unit: "mL/kg/min".into(),
                    status: "not_converging".into(),
                    narrative: "a long story ".repeat(30),
                }],
            },
        }
    };
    let people = PEOPLE.iter().zip(generate::histories(1)).map(chapter).collect();
    let (signing_up, jobs) = (Duration::from_secs(3), Duration::from_secs(300));
    Report {
        source: "real readings, LifeSnaps, CC BY 4.0".into(),
        people,
        total: 1_234_567,
        delivered: Delivered {
            source: "generated readings, seed 42".to_owned(),
            pushes: 500,
            acks: vec![Duration::from_millis(2); 500],
            ends: vec![Duration::from_millis(40); 500],
            kept: vec![(
                "Eleni",
                vec![FromSource { source: "garmin".to_owned(), stored: 400, counting: 390 }],
            )],
            workouts: 36,
        },
        signing_up,
        jobs,
        engine: jobs,
        cohort: Some(Cohort { people: 55, days: vec![Some(scored(50.0)), Some(scored(100.0)), None] }),
        weights: todays(),
    }
}

#[test]
fn the_report_fits_a_hundred_columns_and_is_plain_without_a_terminal() {
    console::set_colors_enabled(false);
    let text = report(&crowded());
    for line in text.lines() {
        assert!(measure_text_width(line) <= WIDTH, "{line}");
        assert!(!line.contains('\u{1b}') && line.trim_end() == line, "{line:?}");
    }
}

#[test]
fn shares_and_distribution_are_told_of_the_three_and_of_everybody() {
    console::set_colors_enabled(false);
    let mut crowd = crowded();
    let sections =
        |text: &str| ["with a score", "without sleep", "90 to 100"].map(|what| text.matches(what).count());
    assert_eq!(sections(&report(&crowd)), [2, 2, 2]);
    crowd.cohort = None;
    assert_eq!(sections(&report(&crowd)), [1, 1, 1]);
}

#[test]
fn a_baseline_is_shown_whole_even_where_figures_are_large() {
    console::set_colors_enabled(false);
    let text = metrics(&crowded().people[0]);
    assert!(text.contains("99,999 ± 99,999"), "{text}");
    assert!(text.contains("9 of 14"), "{text}");
    assert!(text.contains("pending"), "{text}");
}

#[test]
fn a_record_is_described_by_what_its_sender_meant() {
    let of = |record| sent(&record);
    assert_eq!(
        of(serde_json::json!({"type": "StepsRecord", "value": "many", "unit": "count"})),
        "steps \"many\" count"
    );
    assert_eq!(of(serde_json::json!({"type": "mood", "value": 4})), "mood 4 ");
    assert_eq!(of(serde_json::json!("hello")), "\"hello\"");
    assert_eq!(of(serde_json::json!({"type": "SleepSessionRecord"})), "sleep");
}
