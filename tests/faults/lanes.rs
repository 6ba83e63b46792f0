//! Pushes scripts through the hosts, lane beside lane, until every push has been acknowledged.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use welltrack_tests::simulator::Simulator;
use welltrack_tests::simulator::courier::{Courier, Parcel};

use crate::script::{Script, Sender, Step};

/// How many pushes have been acknowledged, for those who wait for more.
#[derive(Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    acknowledged: usize,
    attempts: usize,
    finished: bool,
}

impl Progress {
    fn note(&self, attempts: usize) {
        let mut state = self.state.lock().expect("nobody panics holding it");
        state.acknowledged += 1;
        state.attempts += attempts;
        self.changed.notify_all();
    }

    fn finish(&self) {
        self.state.lock().expect("nobody panics holding it").finished = true;
        self.changed.notify_all();
    }

    /// Waits for so many more acknowledgements; gives how many there are, `None` when everything is pushed.
    pub(crate) fn wait(&self, more: usize) -> Option<usize> {
        let state = self.state.lock().expect("nobody panics holding it");
        let goal = state.acknowledged + more;
        // Where nothing gets through at all, the next act may free it.
        let (state, _) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(5), |s| !s.finished && s.acknowledged < goal)
            .expect("nobody panics holding it");
        (!state.finished).then_some(state.acknowledged)
    }

    /// Acknowledged pushes and the attempts that they took.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let state = self.state.lock().expect("nobody panics holding it");
        (state.acknowledged, state.attempts)
    }
}

/// Pushes all scripts, each lane at most one push in every `pace`; gives when all are acknowledged.
///
/// # Panics
///
/// When a push is not acknowledged however often it is sent.
pub(crate) fn push(
    simulator: &Simulator,
    scripts: &[Script],
    origins: &[String],
    pace: Duration,
    progress: &Progress,
) {
    let clock = Arc::new(AtomicU64::new(0));
    let mut courier = simulator.courier();
    courier.garmin.deadline = Duration::from_secs(5);
    courier.garmin.longest_wait = Duration::from_millis(400);
    // The real Strava gives up after three attempts, and then nobody could say what must be in the tables.
    courier.strava.attempts = courier.garmin.attempts;
    courier.strava.longest_wait = Duration::from_millis(400);
    let urls: Arc<[[String; 2]]> = origins
        .iter()
        .map(|origin| {
            [simulator.settings().garmin_webhook(origin), simulator.settings().strava_webhook(origin)]
        })
        .collect();
    simulator.handle().block_on(async {
        let lanes = scripts.iter().enumerate().map(|(number, script)| {
            let sender = Sender { simulator, clock: Arc::clone(&clock) };
            lane(number, script, sender, &courier, &urls, pace, progress)
        });
        futures_util::future::join_all(lanes).await;
    });
    progress.finish();
}

async fn lane(
    number: usize,
    script: &Script,
    sender: Sender<'_>,
    courier: &Courier,
    urls: &[[String; 2]],
    pace: Duration,
    progress: &Progress,
) {
    let mut ticks = (!pace.is_zero()).then(|| {
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let mut parcels: Vec<Parcel> = Vec::with_capacity(script.steps.len());
    for (index, step) in script.steps.iter().enumerate() {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        sender.perform(step);
        parcels.push(sender.parcel(step, &parcels));
        let kind = usize::from(is_strava(script, step));
        let to = |attempt: u32| urls[(number + index + attempt as usize) % urls.len()][kind].clone();
        let delivery = courier.deliver(&parcels[index], to).await;
        assert!(delivery.acknowledged(), "lane {number} step {index}: {:?}", delivery.attempts.last());
        progress.note(delivery.attempts.len());
    }
}

fn is_strava(script: &Script, step: &Step) -> bool {
    match step {
        Step::Strava(_) => true,
        Step::Garmin { .. } => false,
        Step::Again(index) => is_strava(script, &script.steps[*index]),
    }
}
