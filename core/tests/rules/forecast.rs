//! Forecasts, held against the line that they are made of.

use proptest::prelude::*;
use welltrack_core::MICROS_PER_DAY;
use welltrack_core::forecast::{Direction, EpochDay, Forecast, Goal, HORIZON_DAYS, LEVEL, Status, forecast};
use welltrack_core::regression::{Line, Sums};

const TODAY: EpochDay = 20_454;

fn micros(day: EpochDay) -> i64 {
    i64::from(day) * MICROS_PER_DAY
}

/// A month of readings that ends today, one a day, oldest first.
fn line(readings: &[f64]) -> Line {
    let mut sums = Sums::default();
    for (before, reading) in readings.iter().rev().enumerate() {
        sums.push(*reading, micros(TODAY - before as i32));
    }
    sums.line()
}

fn to(target: f64, direction: Direction) -> Goal {
    Goal { target, direction, current: None, as_of: TODAY }
}

/// Falling by `slope` a day from 80, with the noise of one of few patterns.
fn falling(slope: f64, noise: f64) -> Vec<f64> {
    (0..30).map(|day| 80.0 - slope * f64::from(day) + noise * f64::from(day * 7 % 5 - 2)).collect()
}

/// What the line says about a day: its value, and half the width of the band around it.
fn band(line: &Line, day: EpochDay) -> (f64, f64) {
    let prediction = line.predict(micros(day), LEVEL).unwrap();
    let (low, high) = prediction.interval.unwrap();
    (prediction.value, (high - low) / 2.0)
}

fn hostile() -> impl Strategy<Value = f64> {
    let known =
        vec![0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, -5e-324, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY];
    prop_oneof![any::<f64>(), prop::sample::select(known)]
}

fn lines() -> impl Strategy<Value = Line> {
    let some = || prop::option::weighted(0.9, hostile());
    let fitted = (any::<u64>(), some(), some(), some(), some());
    (fitted, hostile(), hostile(), hostile()).prop_map(
        |((points, slope, r_squared, residual_se, slope_se), mean_x, mean_y, sxx)| Line {
            points,
            slope,
            intercept: None,
            r_squared,
            residual_se,
            slope_se,
            mean_x,
            mean_y,
            sxx,
        },
    )
}

proptest! {
    #[test]
    fn the_projected_day_is_the_first_on_which_the_line_is_at_the_target(
        slope in 0.01..0.5, noise in 0.0..0.5, target in 40.0..79.0,
    ) {
        let line = line(&falling(slope, noise));
        if let Forecast::OnTrack { projected, .. } = forecast(&line, &to(target, Direction::Decrease)) {
            let value = |day| band(&line, day).0;
            prop_assert!(value(projected) <= target + 1e-9);
            prop_assert!(projected == TODAY + 1 || value(projected - 1) > target - 1e-9);
        }
    }

    #[test]
    fn the_band_meets_the_target_at_its_first_and_last_day(
        slope in 0.01..0.5, noise in 0.0..0.5, target in 40.0..79.0,
    ) {
        let line = line(&falling(slope, noise));
        if let Forecast::OnTrack { low, projected, high, .. } = forecast(&line, &to(target, Direction::Decrease)) {
            // Above the band: not there yet. Below it: certainly past.
            let before = |day| { let (value, half) = band(&line, day); value - half > target + 1e-9 };
            let past = |day| { let (value, half) = band(&line, day); value + half < target + 1e-9 };
            prop_assert!(!before(low));
            prop_assert!(low == TODAY + 1 || before(low - 1) || band(&line, low - 1).0 - band(&line, low - 1).1 > target - 1e-9);
            if let Some(high) = high {
                prop_assert!(low <= projected && projected <= high);
                prop_assert!(high == TODAY + 1 || high == projected || !past(high - 1));
                prop_assert!(high == TODAY + 1 || past(high));
            }
        }
    }

    #[test]
    fn rising_towards_a_goal_is_falling_mirrored(slope in 0.01..0.5, noise in 0.0..0.5, target in 40.0..90.0) {
        let readings = falling(slope, noise);
        let mirrored: Vec<_> = readings.iter().map(|reading| -reading).collect();
        prop_assert_eq!(
            forecast(&line(&readings), &to(target, Direction::Decrease)),
            forecast(&line(&mirrored), &to(-target, Direction::Increase))
        );
    }

    #[test]
    fn less_noise_about_the_same_line_never_widens_the_interval(
        slope in 0.01..0.5, noise in 0.01..0.5, target in 60.0..79.0, share in 0.0..1.0,
    ) {
        let noisy = line(&falling(slope, noise));
        let quiet = Line {
            residual_se: noisy.residual_se.map(|error| error * share),
            slope_se: noisy.slope_se.map(|error| error * share),
            ..noisy
        };
        let ask = |line| forecast(line, &to(target, Direction::Decrease));
        if let Forecast::OnTrack { low, projected, high, .. } = ask(&noisy) {
            let Forecast::OnTrack { low: quiet_low, projected: same, high: quiet_high, .. } = ask(&quiet) else {
                panic!("less noise, and no forecast any more")
            };
            prop_assert_eq!(projected, same);
            prop_assert!(low <= quiet_low);
            prop_assert!(high.is_none_or(|high| quiet_high.is_some_and(|quiet| quiet <= high)));
        }
    }

    #[test]
    fn a_trend_away_from_the_target_does_not_converge(slope in 0.05..0.5, noise in 0.0..0.1, above in 0.1..50.0) {
        let line = line(&falling(slope, noise));
        prop_assert_eq!(forecast(&line, &to(80.0 + above, Direction::Increase)), Forecast::NotConverging);
    }

    #[test]
    fn hostile_numbers_end_in_a_status_and_dates_within_ten_years(
        line in lines(), target in hostile(), current in prop::option::of(hostile()), as_of: i32, up: bool,
    ) {
        let direction = if up { Direction::Increase } else { Direction::Decrease };
        let said = forecast(&line, &Goal { target, direction, current, as_of });
        if let Forecast::OnTrack { projected, low, high, confidence } = said {
            prop_assert!((0.0..=1.0).contains(&confidence));
            prop_assert!((as_of < low || as_of == EpochDay::MAX) && low <= projected && high.is_none_or(|high| projected <= high));
            let last = high.unwrap_or(projected);
            prop_assert!(i64::from(last) - i64::from(as_of) <= i64::from(HORIZON_DAYS));
        }
    }

    #[test]
    fn readings_of_any_kind_end_in_a_status(readings in prop::collection::vec(hostile(), 0..31), target in hostile()) {
        let line = line(&readings);
        for direction in [Direction::Increase, Direction::Decrease] {
            let said = forecast(&line, &Goal { current: readings.last().copied(), ..to(target, direction) });
            prop_assert!(said != Forecast::TooFewPoints || line.points < 3);
        }
    }
}

#[test]
fn who_is_there_has_reached_it_and_who_is_past_it_too() {
    let line = line(&falling(0.1, 0.1));
    let at = |current, direction| forecast(&line, &Goal { current: Some(current), ..to(75.0, direction) });
    assert_eq!(at(75.0, Direction::Decrease), Forecast::Reached);
    assert_eq!(at(74.9, Direction::Decrease), Forecast::Reached);
    assert!(matches!(at(75.1, Direction::Decrease), Forecast::OnTrack { .. }));
    assert_eq!(at(75.0, Direction::Increase), Forecast::Reached);
    assert_eq!(at(75.1, Direction::Increase), Forecast::Reached);
    assert_eq!(at(74.9, Direction::Increase), Forecast::NotConverging);
}

#[test]
fn without_enough_points_there_is_no_forecast() {
    let goal = to(75.0, Direction::Decrease);
    for readings in [&[][..], &[80.0], &[80.0, 79.0]] {
        assert_eq!(forecast(&line(readings), &goal), Forecast::TooFewPoints);
    }
    let mut same_day = Sums::default();
    for reading in [80.0, 79.5, 79.0] {
        same_day.push(reading, micros(TODAY));
    }
    assert_eq!(forecast(&same_day.line(), &goal), Forecast::TooFewPoints);
}

#[test]
fn a_trend_that_may_be_chance_does_not_converge() {
    let goal = to(75.0, Direction::Decrease);
    // Constant readings, and a slope of 0.001 a day under noise of a kilogram.
    assert_eq!(forecast(&line(&[80.0; 30]), &goal), Forecast::NotConverging);
    assert_eq!(forecast(&line(&falling(0.001, 1.0)), &goal), Forecast::NotConverging);
    // The 5% level itself: t of 2.048407 at 28 degrees of freedom.
    let at = |t: f64| Line { slope: Some(-1.0), slope_se: Some(1.0 / t), ..line(&falling(1.0, 0.1)) };
    assert_eq!(forecast(&at(2.048_41), &goal).status(None).label(), "on_track");
    assert_eq!(forecast(&at(2.048_40), &goal), Forecast::NotConverging);
}

#[test]
fn a_date_is_told_up_to_ten_years_ahead_and_not_beyond() {
    // Exact readings: 80 on the first of thirty days, a 64th less each day.
    let line = line(&falling(1.0 / 64.0, 0.0));
    let in_days = |days: i32| 80.0 - f64::from(29 + days) / 64.0;
    let on = |days| match forecast(&line, &to(in_days(days), Direction::Decrease)) {
        Forecast::OnTrack { projected, .. } => Some(projected - TODAY),
        Forecast::BeyondHorizon { confidence } => {
            assert!((confidence - 1.0).abs() < 1e-12);
            None
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((on(1), on(HORIZON_DAYS), on(HORIZON_DAYS + 1)), (Some(1), Some(HORIZON_DAYS), None));
    // The line may be past the target when the last reading is not: then tomorrow is the day, for today it was not.
    assert_eq!((on(0), on(-5)), (Some(1), Some(1)));
}

#[test]
fn on_the_last_days_that_there_are_dates_end_with_them() {
    let end_of_time =
        Line { mean_x: f64::from(EpochDay::MAX) * MICROS_PER_DAY as f64, ..line(&falling(0.1, 0.1)) };
    let goal = Goal { as_of: EpochDay::MAX - 1, ..to(75.0, Direction::Decrease) };
    let Forecast::OnTrack { projected, .. } = forecast(&end_of_time, &goal) else { panic!("no date") };
    assert_eq!(projected, EpochDay::MAX);
}

#[test]
fn a_date_after_the_deadline_is_late_and_nothing_else_asks_for_the_deadline() {
    let goal = to(75.0, Direction::Decrease);
    let said = forecast(&line(&falling(0.1, 0.1)), &goal);
    let Forecast::OnTrack { projected, .. } = said else { panic!("no date") };
    assert_eq!(said.status(None), Status::OnTrack);
    assert_eq!(said.status(Some(projected)), Status::OnTrack);
    assert_eq!(said.status(Some(projected - 1)), Status::Late);
    assert_eq!(said.status(Some(TODAY - 1)), Status::Late);
    for dateless in [
        Forecast::Reached,
        Forecast::NotConverging,
        Forecast::BeyondHorizon { confidence: 0.5 },
        Forecast::TooFewPoints,
    ] {
        assert_eq!(dateless.status(Some(EpochDay::MIN)), dateless.status(None));
    }
}
