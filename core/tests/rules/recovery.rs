//! The recovery score: its formula to the last bit, and what must not happen to it whatever the month was like.

use proptest::prelude::*;
use welltrack_core::recovery::{
    BASELINE_DAYS, CURVES, Day, Inputs, Recovery, Status, WINDOW_DAYS, Window, WindowError,
};

const STRESS: usize = 0;
const SLEEP: usize = 1;
const HR: usize = 2;
const LOAD: usize = 3;

/// A month, the day that is scored first.
type Month = Vec<Option<Day>>;

fn window(target: f64, month: &Month) -> Window {
    let mut window = Window::new(target).unwrap();
    for (days_before, day) in month.iter().enumerate() {
        if let Some(day) = day {
            window.insert(days_before as i64, *day).unwrap();
        }
    }
    window
}

fn score(month: &Month) -> Option<Recovery> {
    window(8.0, month).score()
}

fn day() -> impl Strategy<Value = Day> {
    let some = prop::option::weighted;
    (some(0.7, 0.0..100.0), some(0.9, 0.0..900.0), some(0.9, 35.0..90.0), some(0.6, 0.0..900.0))
        .prop_map(|(stress, sleep, hr, load)| Day { stress, sleep, hr, load })
}

/// Months of every kind: complete ones, ones with gaps, and ones that have hardly begun.
fn months() -> impl Strategy<Value = Month> {
    prop::sample::select(vec![0.2, 0.5, 0.9, 0.99])
        .prop_flat_map(|known| prop::collection::vec(prop::option::weighted(known, day()), WINDOW_DAYS))
}

/// Half a year, of which a month may have little.
fn histories() -> impl Strategy<Value = Month> {
    prop::sample::select(vec![0.05, 0.1, 0.3, 0.6])
        .prop_flat_map(|known| prop::collection::vec(prop::option::weighted(known, day()), 180))
}

/// A month with all four inputs on every day.
fn complete() -> impl Strategy<Value = Month> {
    let day = (0.0..100.0, 0.0..900.0, 35.0..90.0, 1.0..900.0);
    let day = day.prop_map(|(stress, sleep, hr, load)| Day {
        stress: Some(stress),
        sleep: Some(sleep),
        hr: Some(hr),
        load: Some(load),
    });
    prop::collection::vec(day.prop_map(Some), WINDOW_DAYS)
}

/// The month with another today.
fn with_today(month: &Month, change: impl FnOnce(&mut Day)) -> Month {
    let mut month = month.clone();
    change(month[0].get_or_insert_default());
    month
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

proptest! {
    #[test]
    fn with_all_four_the_score_is_the_formula_to_the_last_bit(month in complete()) {
        let recovery = score(&month).unwrap();
        let [stress, sleep, hr, load] = recovery.components.map(Option::unwrap);
        let formula = (stress * 0.25) + (sleep * 0.30) + (hr * 0.20) + (load * 0.25);
        prop_assert_eq!(recovery.score.unwrap().to_bits(), formula.to_bits());
        prop_assert_eq!(recovery.weights(), [Some(0.25), Some(0.30), Some(0.20), Some(0.25)]);
        prop_assert_eq!(recovery.missing().count(), 0);
    }

    #[test]
    fn with_something_missing_the_score_is_the_mean_of_the_rest(month in months()) {
        let Some(recovery) = score(&month) else { return Ok(()) };
        let there: Vec<_> = CURVES.iter().zip(recovery.components).filter_map(|(curve, c)| Some((curve.weight, c?))).collect();
        match recovery.score {
            None => prop_assert_eq!(recovery.weights(), [None; 4]),
            Some(score) => {
                let whole = sum(there.iter().map(|(weight, _)| *weight));
                let mean = sum(there.iter().map(|(weight, component)| weight * component)) / whole;
                prop_assert!((score - mean).abs() < 1e-12);
                let weights = recovery.weights();
                prop_assert!((sum(weights.into_iter().flatten()) - 1.0).abs() < 1e-12);
                for (weight, component) in weights.into_iter().zip(recovery.components) {
                    prop_assert_eq!(weight.is_some(), component.is_some());
                }
            }
        }
        prop_assert_eq!(recovery.missing().count() + there.len(), 4);
    }

    #[test]
    fn everything_is_within_0_and_100_and_the_status_says_why_there_is_no_score(month in months()) {
        let Some(recovery) = score(&month) else { return Ok(()) };
        for value in recovery.components.into_iter().chain([recovery.score]).flatten() {
            prop_assert!((0.0..=100.0).contains(&value), "{value}");
        }
        let days = month.iter().flatten().filter(|day| **day != Day::default()).count();
        prop_assert_eq!(recovery.inputs.input_days, days);
        prop_assert_eq!(recovery.days_missing, BASELINE_DAYS.saturating_sub(days));
        let components = recovery.components.iter().flatten().count();
        let status = match (days < BASELINE_DAYS, components < 2) {
            (true, _) => Status::Calibrating,
            (false, true) => Status::Insufficient,
            (false, false) => Status::Scored,
        };
        prop_assert_eq!((recovery.status, recovery.score.is_some()), (status, status == Status::Scored));
    }

    #[test]
    fn there_is_an_answer_exactly_when_something_is_known_about_the_day(month in months()) {
        let today = month[0].unwrap_or_default();
        let load = month[..7].iter().flatten().any(|day| day.load.is_some());
        let known = load || today.stress.is_some() || today.sleep.is_some() || today.hr.is_some();
        prop_assert_eq!(score(&month).is_some(), known);
    }

    #[test]
    fn a_better_night_never_lowers_the_score(month in months(), sleep in 0.0..800.0, more in 0.0..100.0) {
        let slept = |minutes| score(&with_today(&month, |today| today.sleep = Some(minutes))).unwrap();
        prop_assert!(slept(sleep).score <= slept(sleep + more).score);
    }

    #[test]
    fn a_lower_heart_rate_or_less_stress_never_lowers_the_score(
        month in months(), value in 20.0..100.0, less in 0.0..20.0,
    ) {
        let hr = |hr| score(&with_today(&month, |today| today.hr = Some(hr))).unwrap();
        prop_assert!(hr(value).score <= hr(value - less).score);
        let stress = |stress| score(&with_today(&month, |today| today.stress = Some(stress))).unwrap();
        prop_assert!(stress(value).score <= stress(value - less).score);
    }

    #[test]
    fn a_missing_reading_changes_only_its_component(month in months(), which in 0..4_usize) {
        let full = with_today(&month, |today| {
            *today = Day { stress: Some(20.0), sleep: Some(420.0), hr: Some(55.0), load: today.load };
        });
        let without = with_today(&full, |today| match which {
            STRESS => today.stress = None,
            SLEEP => today.sleep = None,
            HR => today.hr = None,
            _ => today.load = None,
        });
        let (full, without) = (score(&full).unwrap().components, score(&without).unwrap().components);
        for index in [STRESS, SLEEP, HR, LOAD] {
            // A day without training is still in its week's load.
            if index != LOAD || which != LOAD {
                let expected = if index == which { None } else { full[index] };
                prop_assert_eq!(without[index], expected);
            }
        }
    }

    #[test]
    fn the_order_of_days_does_not_matter(
        (days, order) in histories().prop_flat_map(|days| {
            let order: Vec<usize> = (0..days.len()).collect();
            (Just(days), Just(order).prop_shuffle())
        }),
    ) {
        let mut shuffled = Window::new(8.0).unwrap();
        for days_before in order {
            if let Some(day) = days[days_before] {
                shuffled.insert(days_before as i64, day).unwrap();
            }
        }
        prop_assert_eq!(shuffled.score(), score(&days));
    }

    #[test]
    fn later_days_change_nothing_and_earlier_ones_only_what_the_month_lacks(days in histories(), day in day(), beyond in 31..i64::MAX) {
        let mut window = window(8.0, &days);
        for days_before in [-beyond, -1, i64::MIN] {
            window.insert(days_before, day).unwrap();
        }
        prop_assert_eq!(window.score(), score(&days));
        let month = days[..WINDOW_DAYS].to_vec();
        let (Some(long), Some(short)) = (score(&days), score(&month)) else { return Ok(()) };
        for index in [STRESS, SLEEP, LOAD] {
            prop_assert_eq!(long.components[index], short.components[index]);
        }
        if short.days_missing == 0 && (short.inputs.resting_hr_bpm.is_none() || short.components[HR].is_some()) {
            prop_assert_eq!(long, short);
        }
    }

    #[test]
    fn a_baseline_is_the_last_fourteen_days_however_far_apart_they_lie(days in histories()) {
        let Some(recovery) = score(&days) else { return Ok(()) };
        let input_days = days.iter().flatten().filter(|day| **day != Day::default()).count();
        prop_assert_eq!(recovery.days_missing, BASELINE_DAYS.saturating_sub(input_days));
        if recovery.inputs.resting_hr_bpm.is_some() {
            let beats: Vec<f64> = days[1..].iter().flatten().filter_map(|day| day.hr).take(BASELINE_DAYS).collect();
            prop_assert_eq!(recovery.inputs.hr_baseline_days, beats.len());
            let mean = (beats.len() == BASELINE_DAYS).then(|| sum(beats.into_iter()) / BASELINE_DAYS as f64);
            prop_assert_eq!(recovery.inputs.hr_baseline_bpm, mean);
        }
    }

    #[test]
    fn the_last_fourteen_earlier_days_are_as_good_as_all_of_them(days in histories()) {
        // What the schema reads where the month is not enough.
        let mut some = days.clone();
        let (mut beats, mut others) = (0, 0);
        for day in some.iter_mut().skip(WINDOW_DAYS) {
            let Some(known) = day.filter(|day| *day != Day::default()) else { continue };
            let count = if known.hr.is_some() { &mut beats } else { &mut others };
            *count += 1;
            if *count > BASELINE_DAYS {
                *day = None;
            }
        }
        prop_assert_eq!(score(&some), score(&days));
    }

    #[test]
    fn hostile_numbers_give_no_nan(values in prop::collection::vec(any::<[f64; 4]>(), WINDOW_DAYS), target in 0.001..24.0) {
        let month = values.into_iter().map(|[stress, sleep, hr, load]| Some(Day {
            stress: Some(stress), sleep: Some(sleep), hr: Some(hr), load: Some(load),
        })).collect();
        if let Some(recovery) = window(target, &month).score() {
            for value in recovery.components.into_iter().chain([recovery.score]).flatten() {
                prop_assert!((0.0..=100.0).contains(&value), "{value}");
            }
            let Inputs {
                stress_score, sleep_minutes, sleep_target_hours, resting_hr_bpm, hr_baseline_bpm, hr_spread_bpm, load_7d,
                load_baseline_7d, ..
            } = recovery.inputs;
            let known = [
                stress_score, sleep_minutes, Some(sleep_target_hours), resting_hr_bpm, hr_baseline_bpm, hr_spread_bpm, load_7d,
                load_baseline_7d,
            ];
            prop_assert!(known.into_iter().flatten().all(f64::is_finite), "{:?}", recovery.inputs);
        }
    }
}

/// A month in which every day was the same.
fn usual() -> Month {
    vec![Some(Day { stress: Some(30.0), sleep: Some(420.0), hr: Some(55.0), load: Some(60.0) }); WINDOW_DAYS]
}

fn component(month: &Month, index: usize) -> Option<f64> {
    score(month).unwrap().components[index]
}

#[test]
fn the_usual_heart_rate_is_worth_half_and_the_floor_of_a_beat_keeps_it_smooth() {
    // Zero spread: a beat more or less is one standard deviation, and the logistic is near the normal distribution.
    for (hr, expected) in
        [(55.0, 0.5), (56.0, 0.158_655), (54.0, 0.841_345), (57.0, 0.022_750), (52.0, 0.998_650)]
    {
        let month = with_today(&usual(), |today| today.hr = Some(hr));
        let share = component(&month, HR).unwrap() / 100.0;
        assert!((share - expected).abs() < 0.01, "{hr}: {share}");
    }
}

#[test]
fn the_heart_rate_is_measured_against_the_last_fourteen_days_that_have_one() {
    let mut month = usual();
    for (days_before, day) in month.iter_mut().enumerate().skip(1) {
        let day = day.as_mut().unwrap();
        // Every second day has one, and what lies further back than fourteen of those is wild.
        day.hr = (days_before % 2 == 1).then_some(if days_before <= 27 {
            50.0 + (days_before % 4) as f64
        } else {
            200.0
        });
    }
    let inputs = score(&month).unwrap().inputs;
    // 51, 53, 51, ...: seven of each.
    assert_eq!((inputs.hr_baseline_days, inputs.hr_baseline_bpm), (14, Some(52.0)));
    assert!((inputs.hr_spread_bpm.unwrap() - (14.0_f64 / 13.0).sqrt()).abs() < 1e-12);

    month[1].as_mut().unwrap().hr = None;
    month[29].as_mut().unwrap().hr = None;
    let recovery = score(&month).unwrap();
    assert_eq!((recovery.inputs.hr_baseline_days, recovery.components[HR]), (13, None));
    assert_eq!((recovery.inputs.hr_baseline_bpm, recovery.status), (None, Status::Scored));
}

#[test]
fn a_baseline_of_thirteen_heart_rates_is_completed_by_the_last_one_before_the_month() {
    let mut month = usual();
    for day in &mut month[14..=29] {
        day.as_mut().unwrap().hr = None;
    }
    // Thirteen near ones, and one on the first day of the window.
    month[30].as_mut().unwrap().hr = Some(60.0);
    let inputs_with_thirty_days_back = score(&month).unwrap().inputs;
    assert_eq!(inputs_with_thirty_days_back.hr_baseline_bpm, Some((13.0 * 55.0 + 60.0) / 14.0));
    month[30].as_mut().unwrap().hr = None;
    let inputs = score(&month).unwrap().inputs;
    assert_eq!((inputs.hr_baseline_days, inputs.hr_baseline_bpm), (13, None));
    // A day earlier than the window completes what the window lacks, and it alone.
    let mut with_earlier = window(8.0, &month);
    with_earlier.insert(31, Day { hr: Some(60.0), ..Day::default() }).unwrap();
    assert_eq!(with_earlier.score().unwrap().inputs, inputs_with_thirty_days_back);
    month[0].as_mut().unwrap().hr = None;
    let mut without_today = window(8.0, &month);
    without_today.insert(31, Day { hr: Some(60.0), ..Day::default() }).unwrap();
    assert_eq!(without_today.score().unwrap().inputs.hr_baseline_days, 13, "there is nothing to compare");
}

#[test]
fn an_outlier_in_the_baseline_moves_the_component_and_nothing_else() {
    let mut month = usual();
    let before = score(&month).unwrap();
    // As wild as validation lets it be.
    month[5].as_mut().unwrap().hr = Some(100.0);
    let after = score(&month).unwrap();
    assert!(after.components[HR] > before.components[HR]);
    for index in [STRESS, SLEEP, LOAD] {
        assert_eq!(after.components[index], before.components[index]);
    }
}

#[test]
fn load_is_the_week_against_the_usual_week_since_the_first_load() {
    let loads = |known: &[(usize, f64)]| {
        let mut month = vec![Some(Day { stress: Some(30.0), ..Day::default() }); WINDOW_DAYS];
        for (days_before, load) in known {
            month[*days_before].as_mut().unwrap().load = Some(*load);
        }
        let recovery = score(&month).unwrap();
        (
            recovery.inputs.load_7d,
            recovery.inputs.load_history_days,
            recovery.inputs.load_baseline_7d,
            recovery.components[LOAD],
        )
    };
    // No row in the week: nothing is known. A row of zero: a week of rest.
    assert_eq!(loads(&[(7, 100.0), (20, 100.0)]), (None, 20, Some(70.0), None));
    assert_eq!(loads(&[(0, 0.0), (7, 100.0), (20, 100.0)]), (Some(0.0), 20, Some(70.0), Some(0.0)));
    // Days without a row count as rest in both.
    assert_eq!(loads(&[(3, 35.0), (28, 105.0)]), (Some(35.0), 28, Some(35.0), Some(100.0)));
    assert_eq!(loads(&[(0, 14.0), (14, 70.0)]), (Some(14.0), 14, Some(35.0), Some(40.0)));
    // Thirteen days are no history, nor is what lies beyond four weeks.
    assert_eq!(loads(&[(0, 14.0), (13, 70.0)]), (Some(14.0), 13, None, None));
    assert_eq!(loads(&[(0, 14.0), (29, 70.0), (30, 70.0)]), (Some(14.0), 0, None, None));
    // More than usual is no more than usual; after four weeks of rest there is nothing to compare with.
    assert_eq!(loads(&[(1, 500.0), (14, 1.0)]).3, Some(100.0));
    assert_eq!(loads(&[(0, 50.0), (20, 0.0)]), (Some(50.0), 20, Some(0.0), None));
}

#[test]
fn fourteen_days_with_gaps_make_a_baseline_and_thirteen_do_not() {
    let with_days = |count: usize| {
        let mut month = vec![None; WINDOW_DAYS];
        for index in 0..count {
            month[index * 2] = Some(Day { stress: Some(40.0), sleep: Some(480.0), ..Day::default() });
        }
        score(&month).unwrap()
    };
    let thirteen = with_days(13);
    assert_eq!((thirteen.status, thirteen.days_missing, thirteen.score), (Status::Calibrating, 1, None));
    assert_eq!(thirteen.components, [Some(60.0), Some(100.0), None, None]);
    let fourteen = with_days(14);
    assert_eq!((fourteen.status, fourteen.days_missing), (Status::Scored, 0));
    assert!((fourteen.score.unwrap() - (0.25 * 60.0 + 0.30 * 100.0) / 0.55).abs() < 1e-12);
    assert_eq!(fourteen.missing().collect::<Vec<_>>(), ["hr", "load"]);
    assert_eq!(with_days(1).days_missing, 13);
}

#[test]
fn one_component_is_no_score() {
    let month = vec![Some(Day { sleep: Some(480.0), ..Day::default() }); WINDOW_DAYS];
    let recovery = score(&month).unwrap();
    assert_eq!((recovery.status, recovery.score, recovery.days_missing), (Status::Insufficient, None, 0));
    assert_eq!(recovery.weights_json(), "{}");
}

#[test]
fn sleep_is_measured_against_the_persons_own_target() {
    let slept = |target| window(target, &usual()).score().unwrap().components[SLEEP];
    assert_eq!((slept(7.0), slept(14.0), slept(4.0)), (Some(100.0), Some(50.0), Some(100.0)));
    for target in [0.0, -1.0, 24.5, f64::NAN, f64::INFINITY] {
        assert!(matches!(Window::new(target), Err(WindowError::SleepTarget(_))), "{target}");
    }
}

#[test]
fn a_day_counts_once() {
    let mut window = window(8.0, &usual());
    assert_eq!(window.insert(3, Day::default()), Err(WindowError::SecondRow { days_before: 3 }));
    assert_eq!(window.score(), score(&usual()));
}

#[test]
fn a_score_says_what_it_was_made_of() {
    let recovery = score(&usual()).unwrap();
    assert_eq!(recovery.weights_json(), r#"{"stress":0.25,"sleep":0.3,"hr":0.2,"load":0.25}"#);
    let expected = Inputs {
        stress_score: Some(30.0),
        sleep_minutes: Some(420.0),
        sleep_target_hours: 8.0,
        resting_hr_bpm: Some(55.0),
        hr_baseline_bpm: Some(55.0),
        hr_spread_bpm: Some(0.0),
        hr_baseline_days: 14,
        load_7d: Some(420.0),
        load_baseline_7d: Some(420.0),
        load_history_days: 28,
        input_days: 31,
    };
    assert_eq!(recovery.inputs, expected);
    let bare: Month = [vec![None; 6], vec![Some(Day { load: Some(5.0), ..Day::default() })]].concat();
    let expected = Inputs {
        stress_score: None,
        sleep_minutes: None,
        resting_hr_bpm: None,
        hr_baseline_bpm: None,
        hr_spread_bpm: None,
        hr_baseline_days: 0,
        load_7d: Some(5.0),
        load_baseline_7d: None,
        load_history_days: 6,
        input_days: 1,
        ..expected
    };
    assert_eq!(score(&bare).unwrap().inputs, expected);
}
