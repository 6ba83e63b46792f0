//! What `bench edge` pushes: days of people of a watch, none of them twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::load::post;

/// The people whose days they are.
pub(super) const PEOPLE: usize = 200;

/// Counts the pushes.
#[derive(Default)]
pub(super) struct Pushes(AtomicUsize);

impl Pushes {
    /// A day of one of the people, which nobody sent before.
    pub(super) fn next(&self) -> String {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let (person, day) = (n % PEOPLE, n / PEOPLE);
        format!(
            r#"{{"dailies":[{{"userId":"bench-{person}","summaryId":"bench-{n}","startTimeInSeconds":{},"startTimeOffsetInSeconds":0,"durationInSeconds":86400,"steps":{},"distanceInMeters":6400.5,"activeKilocalories":512,"bmrKilocalories":1700,"moderateIntensityDurationInSeconds":1800,"vigorousIntensityDurationInSeconds":600,"restingHeartRateInBeatsPerMinute":58,"averageStressLevel":31}}]}}"#,
            // From 1980 on: days enough for every push.
            315_532_800 + day * 86_400,
            4_000 + n % 9_000,
        )
    }

    /// That many of them, as requests to a path.
    pub(super) fn many(&self, path: &str, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| post(path, &self.next())).collect()
    }

    /// How many there were.
    pub(super) fn sent(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
