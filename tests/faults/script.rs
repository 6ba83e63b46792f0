//! What is pushed: for each lane of people a script of envelopes and of athletes' doings, the same for the same seed.
//!
//! Promises: editions out of order, corrections under another name, repetitions, pings, unknown types, several types
//! and people in one envelope. Within a lane one step follows the other, so that the order in which a person's pushes
//! are acknowledged is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use welltrack_tests::simulator::courier::Parcel;
use welltrack_tests::simulator::garmin::{self, Edition, Summary};
use welltrack_tests::simulator::history;
use welltrack_tests::simulator::strava::{Activity, News};
use welltrack_tests::simulator::{Settings, Simulator};

/// How much is pushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) lanes: usize,
    pub(crate) people_in_a_lane: usize,
    pub(crate) days: usize,
}

/// One push of a lane.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Garmin {
        summaries: Vec<Summary>,
        ping: bool,
    },
    Strava(Doing),
    /// The same bytes as an earlier step's.
    Again(usize),
}

/// What an athlete does, before Strava tells of it.
#[derive(Clone, Debug)]
pub(crate) enum Doing {
    Record(Activity),
    Rename(Activity),
    Hide(Activity),
    Delete(Activity),
}

/// A lane: its people, its athlete, and what happens.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) people: Vec<String>,
    pub(crate) athlete: u64,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// The script of a lane.
    pub(crate) fn write(seed: u64, lane: usize, size: Size) -> Self {
        let mut chance =
            Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(7_919).wrapping_add(lane as u64));
        let numbers = (0..size.people_in_a_lane).map(|n| (lane * size.people_in_a_lane + n) as u64);
        let histories: Vec<_> =
            numbers.clone().map(|number| history::generated(seed, number, size.days, 0)).collect();
        let people: Vec<String> = numbers.map(|number| format!("g{number}")).collect();
        let athlete = 100_000 + lane as u64;
        let mut athletics = Athletics { athlete, made: 0, kept: Vec::new() };

        let mut pending = Vec::new();
        for day in 0..size.days {
            for (user, history) in people.iter().zip(&histories) {
                let day = &history.days[day];
                pending.extend(garmin::of_day(user, day));
                if chance.random_range(0..20) == 0 {
                    pending.push(garmin::unknown(user, day));
                }
                if chance.random_range(0..30) == 0 {
                    let mut corrected = day.clone();
                    corrected.steps = corrected.steps.map(|steps| steps + 7);
                    pending.extend(garmin::daily(user, &corrected, Edition::Final, 1));
                }
            }
        }
        // Some are delivered late: an edition may come after the one that settles it.
        for index in 0..pending.len() {
            if chance.random_range(0..20) == 0 {
                let later = (index + chance.random_range(1..12_usize)).min(pending.len() - 1);
                pending.swap(index, later);
            }
        }

        let mut steps = Vec::new();
        let mut pending = pending.into_iter().peekable();
        while pending.peek().is_some() {
            let count = chance.random_range(1..4_usize);
            let mut summaries: Vec<Summary> = Vec::new();
            // Garmin does not contradict itself within one push, and nobody could say which half were true.
            while summaries.len() < count
                && let Some(summary) =
                    pending.next_if(|next| summaries.iter().all(|other| !same_day(next, other)))
            {
                summaries.push(summary);
            }
            steps.push(Step::Garmin { summaries, ping: chance.random_range(0..20) == 0 });
            if chance.random_range(0..10) == 0 {
                let from = steps.len().saturating_sub(40);
                steps.push(Step::Again(chance.random_range(from..steps.len())));
            }
            if chance.random_range(0..8) == 0 {
                steps.push(Step::Strava(athletics.next(&mut chance)));
            }
        }
        Self { people, athlete, steps }
    }

    /// Removes what athletes do, for what is about Garmin alone. Repetitions go as well: they count steps.
    pub(crate) fn leave_strava_out(&mut self) {
        self.steps.retain(|step| matches!(step, Step::Garmin { ping: false, .. }));
    }

    /// Removes all but what athletes do, for what is about Strava alone.
    pub(crate) fn leave_garmin_out(&mut self) {
        self.steps.retain(|step| matches!(step, Step::Strava(_)));
    }

    /// The summaries of step `index`, repetitions looked up; none where it is Strava's.
    pub(crate) fn summaries(&self, index: usize) -> &[Summary] {
        match &self.steps[index] {
            Step::Garmin { summaries, .. } => summaries,
            Step::Strava(_) => &[],
            Step::Again(earlier) => self.summaries(*earlier),
        }
    }
}

/// Whether two summaries speak of the same thing: a day's activity, a night.
fn same_day(a: &Summary, b: &Summary) -> bool {
    let start = |summary: &Summary| summary.readings.first().map(|reading| reading.start);
    (a.kind, &a.user, start(a)) == (b.kind, &b.user, start(b))
}

struct Athletics {
    athlete: u64,
    made: u64,
    kept: Vec<Activity>,
}

impl Athletics {
    fn next(&mut self, chance: &mut Xoshiro256PlusPlus) -> Doing {
        let what = chance.random_range(0..10);
        if what < 6 || self.kept.is_empty() {
            self.made += 1;
            let moving = chance.random_range(600..7_200_u32);
            let activity = Activity {
                id: self.athlete * 10_000 + self.made,
                athlete: self.athlete,
                name: format!("Outing {}", self.made),
                sport: ["Run", "Ride", "Swim", "Yoga"][chance.random_range(0..4_usize)].into(),
                start: 1_740_800_000 + 86_400 * self.made as i64,
                offset: 0,
                moving,
                elapsed: moving + 60,
                distance: Some(f64::from(moving) * 2.5),
                climb: Some(f64::from(moving / 100)),
                average_hr: (what > 0).then_some(f64::from(chance.random_range(90..150_u32))),
                max_hr: (what > 0).then_some(175.0),
                calories: Some(f64::from(moving / 6)),
                is_private: false,
                not_yet: u32::from(what == 1),
            };
            // Only new ones are not there yet.
            self.kept.push(Activity { not_yet: 0, ..activity.clone() });
            return Doing::Record(activity);
        }
        let index = chance.random_range(0..self.kept.len());
        match what {
            6 | 7 => {
                let activity = &mut self.kept[index];
                activity.name.push('!');
                Doing::Rename(activity.clone())
            }
            8 => {
                let activity = &mut self.kept[index];
                activity.is_private = !activity.is_private;
                Doing::Hide(activity.clone())
            }
            _ => Doing::Delete(self.kept.swap_remove(index)),
        }
    }
}

/// What leaves the provider for a step; where it is an athlete's doing, it is done now.
pub(crate) struct Sender<'a> {
    pub(crate) simulator: &'a Simulator,
    /// Strava's clock: no two events of a run are alike.
    pub(crate) clock: Arc<AtomicU64>,
}

impl Sender<'_> {
    /// Makes the parcel of a step, given those of the steps before.
    pub(crate) fn parcel(&self, step: &Step, earlier: &[Parcel]) -> Parcel {
        match step {
            Step::Garmin { summaries, ping: false } => Parcel::garmin(&garmin::envelope(summaries)),
            Step::Garmin { summaries, ping: true } => {
                Parcel::garmin(&self.simulator.as_ping(&garmin::envelope(summaries)))
            }
            Step::Again(index) => earlier[*index].clone(),
            Step::Strava(doing) => Parcel::strava(&self.event(doing)),
        }
    }

    fn event(&self, doing: &Doing) -> serde_json::Value {
        let news = match doing {
            Doing::Record(activity) => News::Created(activity),
            Doing::Rename(activity) => News::Updated(activity, vec![("title", activity.name.clone())]),
            Doing::Hide(activity) => {
                News::Updated(activity, vec![("private", activity.is_private.to_string())])
            }
            Doing::Delete(activity) => News::Deleted(activity),
        };
        let time = 1_740_900_000 + self.clock.fetch_add(1, Ordering::Relaxed);
        news.to_json(Settings::default().strava_subscription_id, time as i64)
    }

    /// Does what the athlete does; the event follows.
    pub(crate) fn perform(&self, step: &Step) {
        if let Step::Strava(doing) = step {
            match doing {
                Doing::Record(activity) | Doing::Rename(activity) | Doing::Hide(activity) => {
                    self.simulator.put_activity(activity.clone());
                }
                Doing::Delete(activity) => drop(self.simulator.delete_activity(activity.id)),
            }
        }
    }
}
