//! Strava's word that it knows no such activity: it says so of a deleted one, and of one that was made a moment ago.
//!
//! Promises: the word is believed after two attempts have heard it; who heard it once leaves a dead letter to replay.

use welltrack_tests::simulator::courier::Parcel;
use welltrack_tests::simulator::faults::{Endpoint, Fault, Rule, When};
use welltrack_tests::simulator::strava::{Activity, News};

use crate::seed;
use crate::stage::{Queue, Stage};

const ATHLETE: u64 = 88;

/// Somebody whose activities can't be read the next `failures` times.
fn stage(failures: u32) -> Stage {
    let stage = Stage::new("missing", seed(), 1);
    stage.connect_strava(stage.sign_up("athlete"), ATHLETE);
    let fault = Fault::Status(500);
    stage.simulator.fail(Rule { endpoint: Endpoint::StravaActivity, fault, when: When::Times(failures) });
    stage
}

/// Tells of a new activity and waits until the workers have done what they can.
fn announce(stage: &Stage, activity: &Activity) -> Queue {
    let settings = stage.simulator.settings();
    let event = News::Created(activity).to_json(settings.strava_subscription_id, 1_740_900_000);
    let (courier, url) = (stage.simulator.courier(), settings.strava_webhook(&stage.hosts[0].origin()));
    let delivery =
        stage.simulator.handle().block_on(courier.deliver(&Parcel::strava(&event), |_| url.clone()));
    assert!(delivery.acknowledged(), "{delivery:?}");
    stage.drain()
}

fn workouts(stage: &Stage) -> i64 {
    let row = stage.admin().query_one("select count(*) from public.wt_workouts", &[]);
    row.expect("workouts can be counted").get(0)
}

#[test]
fn an_activity_that_is_missed_once_after_other_failures_is_taken_from_the_dead_letters() {
    let _alone = crate::alone();
    let stage = stage(4);
    let activity = Activity { not_yet: 1, ..Activity::timed(1, ATHLETE) };
    stage.simulator.put_activity(activity.clone());
    let queue = announce(&stage, &activity);
    assert_eq!((queue.dead, queue.processed, workouts(&stage)), (1, 0, 0), "{}", stage.troubled());

    stage.admin().execute("select public.replay_dead_letters()", &[]).expect("they can be replayed");
    let queue = stage.drain();
    assert_eq!((queue.dead, queue.processed, workouts(&stage)), (0, 1, 1), "{}", stage.troubled());
}

#[test]
fn an_activity_that_is_missed_to_the_end_is_gone() {
    let _alone = crate::alone();
    let stage = stage(3);
    let queue = announce(&stage, &Activity::timed(1, ATHLETE));
    assert_eq!((queue.dead, queue.processed, workouts(&stage)), (0, 1, 0), "{}", stage.troubled());
}
