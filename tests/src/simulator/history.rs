//! Whose days are pushed: real people's where the LifeSnaps data set lies, else generated ones.
//!
//! Promises: the same seed and the same file give the same days everywhere. Stops at plausibility: no body is modelled.
//! LifeSnaps: Yfantidou et al., Scientific Data 9, 663 (2022), CC BY 4.0; one row for each person and day.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Span;
use jiff::civil::{Date, date};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use super::days::{Day, Night};

/// The days of one person.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Whose days these are: `p50`, `generated 3`.
    pub origin: String,
    /// In order, without repetition; days may be missing.
    pub days: Vec<Day>,
}

/// A row of `daily.csv`; an empty cell was not measured.
#[derive(Deserialize)]
struct Row {
    participant: String,
    date: String,
    resting_hr_bpm: Option<f64>,
    minutes_asleep: Option<f64>,
    minutes_awake: Option<f64>,
    stress_management_score: Option<f64>,
    vo2max_ml_kg_min: Option<f64>,
    steps: Option<f64>,
    distance_m: Option<f64>,
    calories_kcal: Option<f64>,
    moderately_active_minutes: Option<f64>,
    very_active_minutes: Option<f64>,
}

impl Row {
    fn day(&self, date: Date, offset: i32) -> Day {
        let whole = |value: Option<f64>| value.map(|value| value.round() as u32);
        let calories = whole(self.calories_kcal);
        // The data set has one sum; a watch reports the basal part apart.
        let basal = calories.map(|sum| sum.min(1400));
        Day {
            steps: whole(self.steps),
            distance: self.distance_m,
            active_kcal: calories.zip(basal).map(|(sum, basal)| sum - basal),
            basal_kcal: basal,
            moderate: whole(self.moderately_active_minutes),
            vigorous: whole(self.very_active_minutes),
            resting_hr: whole(self.resting_hr_bpm),
            // The score runs from 1 to 100, calm is high; 0 stands for a day without one.
            stress: whole(self.stress_management_score.filter(|&s| s > 0.0).map(|s| 100.0 - s)),
            vo2max: self.vo2max_ml_kg_min,
            night: whole(self.minutes_asleep)
                .filter(|&asleep| asleep > 0)
                .map(|asleep| Night { asleep, awake: whole(self.minutes_awake).unwrap_or(0) }),
            ..Day::empty(date, offset)
        }
    }
}

/// Where the data set lies if it is there: in the folder that WELLTRACK_DATA names, else beside the checkout.
#[must_use]
pub fn lifesnaps_file() -> Option<PathBuf> {
    let named = std::env::var_os("WELLTRACK_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    Some(folder.join("lifesnaps/daily.csv")).filter(|file| file.is_file())
}

/// The people of the data set, fullest first, each with the last `days` of their days, as if lived at `offset`.
///
/// # Errors
///
/// A file that can't be read or parsed.
pub fn lifesnaps(file: &Path, days: usize, offset: i32) -> Result<Vec<History>> {
    let mut reader =
        csv::Reader::from_path(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut people: BTreeMap<String, BTreeMap<Date, Day>> = BTreeMap::new();
    for row in reader.deserialize() {
        let row: Row = row.with_context(|| format!("could not read {}", file.display()))?;
        let date = row.date.parse().with_context(|| format!("`{}` is not a date", row.date))?;
        people.entry(row.participant.clone()).or_default().insert(date, row.day(date, offset));
    }
    let mut people: Vec<(String, BTreeMap<Date, Day>)> = people.into_iter().collect();
    people.sort_by_key(|(_, days)| std::cmp::Reverse(days.len()));
    let last = |all: BTreeMap<Date, Day>| all.into_values().rev().take(days).rev().collect::<Vec<_>>();
    Ok(people.into_iter().map(|(origin, all)| History { origin, days: last(all) }).collect())
}

/// At least `count` people with up to `days` days each: LifeSnaps' fullest where the data set lies, else, and where that
/// is not enough, generated ones; and a true word about where they come from.
///
/// # Errors
///
/// A data set that is there and can't be read.
pub fn people(count: usize, days: usize, seed: u64, offset: i32) -> Result<(String, Vec<History>)> {
    let mut source = format!("generated readings, seed {seed}");
    let mut people = Vec::new();
    if let Some(file) = lifesnaps_file() {
        source = "real readings, LifeSnaps, CC BY 4.0".to_owned();
        people = lifesnaps(&file, days, offset)?;
        people.truncate(count);
    }
    let made_up = (people.len()..count).map(|number| generated(seed, number as u64, days, offset));
    people.extend(made_up);
    Ok((source, people))
}

/// Days that nobody lived, of person `number`.
#[must_use]
pub fn generated(seed: u64, number: u64, days: usize, offset: i32) -> History {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let base_steps = chance.random_range(4_000..13_000_u32);
    let base_hr = chance.random_range(48..75_u32);
    let base_vo2 = chance.random_range(300..520_u32);
    let days = date(2025, 3, 1).series(Span::new().days(1)).take(days).map(|date| {
        let mut day = Day::empty(date, offset);
        // Drawn every day, also where nothing comes of it, so that a gap does not move the days after it.
        let steps = base_steps + chance.random_range(0..4_000_u32);
        let asleep = chance.random_range(280..560_u32);
        let awake = chance.random_range(0..70_u32);
        let stress = chance.random_range(5..80_u32);
        let hr = base_hr + chance.random_range(0..6_u32);
        let [off, charger] = [45, 14].map(|times| chance.random_range(0..times) == 0);
        if off {
            return day;
        }
        day.steps = Some(steps);
        day.distance = Some(f64::from(steps) * 0.75);
        day.active_kcal = Some(steps / 20);
        day.basal_kcal = Some(1_500);
        day.moderate = Some(steps / 400);
        day.vigorous = Some(steps / 1_000);
        day.resting_hr = Some(hr);
        day.vo2max = Some(f64::from(base_vo2 + u32::from(date.day() as u8)) / 10.0);
        if !charger {
            day.stress = Some(stress);
            day.night = Some(Night { asleep, awake });
        }
        day
    });
    History { origin: format!("generated {number}"), days: days.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_days_and_another_seed_others() {
        assert_eq!(generated(7, 1, 60, 3600), generated(7, 1, 60, 3600));
        assert_ne!(generated(7, 1, 60, 3600), generated(8, 1, 60, 3600));
        assert_ne!(generated(7, 1, 60, 3600).days, generated(7, 2, 60, 3600).days);
    }

    #[test]
    fn there_are_as_many_people_as_asked_for_with_or_without_the_data_set() {
        let (_, people) = people(80, 60, 1, 0).expect("a whole file or none");
        assert_eq!(people.len(), 80);
        assert_eq!(people[79], generated(1, 79, 60, 0));
    }

    /// Reads the real file where it lies; says so where it doesn't.
    #[test]
    fn the_data_set_has_people_with_sixty_days() {
        let Some(file) = lifesnaps_file() else {
            eprintln!("skipped: the LifeSnaps data set is not there");
            return;
        };
        let people = lifesnaps(&file, 60, 0).expect("a whole file");
        assert!(people.iter().filter(|person| person.days.len() == 60).count() > 20);
        assert!(people[0].days.iter().any(|day| day.night.is_some() && day.vo2max.is_some()));
    }
}
