//! Days that nobody lived: readings for machines without the data set.
//!
//! Promises: the same seed gives the same readings on every machine; they look like people (weeks have a
//! rhythm, a walk shows in steps, distance and calories alike, watches are forgotten on the charger, a scale
//! is used on Mondays). Stops at looking alike: nothing here is a model of a body.

use jiff::civil::{Date, Weekday, date};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use welltrack_core::MetricType as M;

use super::history::{DAYS, History, Reading};

/// The seed of the demo.
pub(super) const SEED: u64 = 42;

/// Fixed, or two runs would differ; it holds the switch to summer time of two of the three zones.
const FIRST_DAY: Date = date(2025, 3, 1);

/// Somebody's averages, in canonical units.
struct Habits {
    origin: &'static str,
    steps: f64,
    sleep: f64,
    hr: f64,
    hrv: f64,
    stress: f64,
    vo2max: f64,
    weight: f64,
    /// What the body burns at rest in a day.
    basal: f64,
    /// How much better the last day is than the first: 0.1 is ten per cent.
    progress: f64,
}

#[rustfmt::skip] // a table is read by its columns
const HABITS: [Habits; 3] = [
    Habits { origin: "a runner", steps: 12_500.0, sleep: 420.0, hr: 54.0, hrv: 68.0, stress: 24.0,
             vo2max: 50.0, weight: 61.0, basal: 1_420.0, progress: 0.08 },
    Habits { origin: "a nurse", steps: 9_200.0, sleep: 385.0, hr: 63.0, hrv: 42.0, stress: 38.0,
             vo2max: 41.0, weight: 70.5, basal: 1_560.0, progress: 0.02 },
    Habits { origin: "a clerk", steps: 5_400.0, sleep: 405.0, hr: 72.0, hrv: 29.0, stress: 46.0,
             vo2max: 34.0, weight: 88.0, basal: 1_830.0, progress: 0.12 },
];

/// Three people's readings.
pub(super) fn histories(seed: u64) -> [History; 3] {
    let mut chance = Chance(Xoshiro256PlusPlus::seed_from_u64(seed));
    HABITS.each_ref().map(|habits| {
        let days: Vec<Date> = FIRST_DAY.series(jiff::Span::new().days(1)).take(DAYS as usize).collect();
        History {
            origin: habits.origin.to_owned(),
            first_day: FIRST_DAY,
            last_day: days.last().copied().unwrap_or(FIRST_DAY),
            readings: days
                .iter()
                .enumerate()
                .flat_map(|(index, &day)| habits.day(day, index as f64 / f64::from(DAYS), &mut chance))
                .collect(),
        }
    })
}

impl Habits {
    /// The readings of a day that far (0 to 1) into the history.
    fn day(&self, date: Date, elapsed: f64, chance: &mut Chance) -> Vec<Reading> {
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let better = 1.0 + self.progress * elapsed;
        let effort = chance.bell();
        let rest = chance.bell();

        let steps = self.steps * better * if weekend { 0.8 } else { 1.05 } * (1.0 + 0.28 * effort);
        let steps = steps.max(400.0).round();
        let asleep = self.sleep + if weekend { 35.0 } else { -10.0 } + 38.0 * rest;
        let awake = (42.0 + 11.0 * chance.bell()).clamp(5.0, 120.0).round();
        let hr = self.hr / better - 0.8 * rest + 0.9 * chance.bell();
        let hrv = self.hrv * better * (1.0 + 0.14 * rest) + 2.0 * chance.bell();
        let stress = self.stress - if weekend { 7.0 } else { 0.0 } - 6.0 * rest + 5.0 * chance.bell();
        let spo2 = (96.2 + 0.7 * chance.bell()).clamp(91.0, 100.0);
        let vo2max = self.vo2max * better + 0.2 * chance.bell();
        let weight = self.weight * (1.0 - 0.25 * self.progress * elapsed) + 0.35 * chance.bell();
        let active = ((steps - 4_500.0) / 120.0 + 6.0 * chance.bell()).max(0.0).round();
        let calories = self.basal + 0.045 * steps + 3.5 * active;

        // Drawn every day, also where nothing comes of them, so that a gap does not move the days after it.
        let forgotten = chance.one_in(45);
        let on_the_charger = chance.one_in(14);
        let mut readings = Vec::new();
        let mut add = |metric, value: f64| readings.push(Reading::new(date, metric, value));
        if forgotten {
            return readings;
        }
        if !on_the_charger {
            add(M::Sleep, asleep.clamp(150.0, 720.0).round());
            add(M::Hrv, tenth(hrv.clamp(12.0, 150.0)));
            add(M::Spo2, tenth(spo2));
            add(M::Stress, stress.clamp(1.0, 99.0).round());
        }
        add(M::Hr, tenth(hr.clamp(38.0, 98.0)));
        add(M::Vo2max, tenth(vo2max.clamp(15.0, 80.0)));
        add(M::Steps, steps);
        add(M::Distance, (steps * 0.72).round());
        add(M::Calories, calories.round());
        add(M::ActiveMinutes, active);
        if date.weekday() == Weekday::Monday {
            add(M::Weight, tenth(weight));
        }
        for reading in &mut readings {
            if reading.metric == M::Sleep {
                reading.awake = awake;
            }
        }
        readings
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A named algorithm, not the library's favourite one: that may change with a release, and the readings with
/// it.
struct Chance(Xoshiro256PlusPlus);

impl Chance {
    /// Roughly normal, mean 0 and deviation 1: twelve uniform numbers. Needs neither a logarithm nor a
    /// cosine, whose last digits differ between machines, and never strays beyond 6.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.0.random::<f64>()).sum::<f64>() - 6.0
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.0.random::<f64>() * f64::from(times) < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_demos_readings_are_the_same_everywhere() {
        let histories = histories(SEED);
        let counts = histories.each_ref().map(|history| history.readings.len());
        let sum: f64 =
            histories.iter().flat_map(|history| &history.readings).map(|reading| reading.value).sum();
        assert_eq!((counts, sum.round()), ([566, 579, 567], 3_303_280.0));
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_readings_and_another_seed_others(seed: u64) {
            prop_assert_eq!(histories(seed), histories(seed));
            prop_assert_ne!(histories(seed), histories(seed.wrapping_add(1)));
        }

        #[test]
        fn every_reading_is_plausible_and_few_days_are_missing(seed: u64) {
            for history in histories(seed) {
                prop_assert_eq!(history.first_day.until(history.last_day).unwrap().get_days(), DAYS - 1);
                for reading in &history.readings {
                    let (least, greatest) = reading.metric.spec().range;
                    prop_assert!((least..=greatest).contains(&reading.value), "{:?}", reading);
                }
                let days = history.readings.iter().filter(|reading| reading.metric == M::Steps).count();
                prop_assert!(days > DAYS as usize / 2, "{} has {} days", history.origin, days);
                let weighings = history.readings.iter().filter(|reading| reading.metric == M::Weight).count();
                prop_assert!(weighings < 14, "{} weighings", weighings);
            }
        }
    }
}
