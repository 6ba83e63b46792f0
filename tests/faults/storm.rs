//! The promise itself: a push that was answered 200 is in the tables exactly once, whatever died on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use welltrack_tests::Person;

use crate::lanes::{Progress, push};
use crate::script::{Script, Size};
use crate::server::Server;
use crate::stage::Stage;
use crate::{chaos, seed, short, verdict};

/// Pushes a second, of all lanes together.
const RATE: u32 = 300;

fn size() -> Size {
    if short() {
        Size { lanes: 16, people_in_a_lane: 2, days: 40 }
    } else {
        Size { lanes: 16, people_in_a_lane: 6, days: 60 }
    }
}

/// Somebody who connects to Garmin in the middle of it.
type Later = (Person, String);

/// Signs everybody up and connects them; every sixth Garmin user is left for later and given back.
fn people(stage: &Stage, scripts: &[Script]) -> Vec<Later> {
    let mut later = Vec::new();
    for script in scripts {
        for user in &script.people {
            let person = stage.sign_up(user);
            if user.ends_with('5') {
                later.push((person, user.clone()));
            } else {
                stage.connect_garmin(person, user);
            }
        }
        let athlete = stage.sign_up(&script.athlete.to_string());
        stage.connect_strava(athlete, script.athlete);
    }
    later
}

#[test]
fn every_acknowledged_push_is_in_the_tables_exactly_once_whatever_dies() {
    let _alone = crate::alone();
    let seed = seed();
    let size = size();
    let scripts: Vec<Script> = (0..size.lanes).map(|lane| Script::write(seed, lane, size)).collect();
    let steps: usize = scripts.iter().map(|script| script.steps.len()).sum();
    let model = verdict::expected(&scripts);
    println!("{steps} pushes of {} events, seed {seed}", model.events() + verdict::strava_events(&scripts));

    // The quiet run: one host, nothing dies.
    let calm = run(seed, &scripts, None);
    verdict::judge(&calm, &scripts, &model);
    let calm_rows = calm.everything();
    drop(calm);

    let server = Server::from_environment();
    let stormy = run(seed, &scripts, Some(&server));
    verdict::judge(&stormy, &scripts, &model);
    let rows = stormy.everything();
    let queue = stormy.queue();
    assert_eq!(queue.processed as usize, model.events() + verdict::strava_events(&scripts), "{queue:?}");
    for (calm, stormy) in calm_rows.iter().zip(&rows) {
        assert_eq!(calm, stormy, "a row of the quiet run and of the other");
    }
    assert_eq!(calm_rows.len(), rows.len());
    println!("{} rows, the same as in a quiet run", rows.len());
}

/// Pushes everything; with a server to kill, while all sorts of things die.
fn run(seed: u64, scripts: &[Script], server: Option<&Server>) -> Stage {
    let (what, hosts) = if server.is_some() { ("storm", 3) } else { ("calm", 1) };
    let mut stage = Stage::new(what, seed, hosts);
    let mut later = people(&stage, scripts);
    let origins: Vec<String> = stage.hosts.iter().map(crate::host::Host::origin).collect();
    let progress = Progress::default();
    let lanes = u32::try_from(scripts.len()).expect("a few lanes");
    let pace = if server.is_some() { Duration::from_secs(1) * lanes / RATE } else { Duration::ZERO };
    let simulator = Arc::clone(&stage.simulator);
    let start = Instant::now();
    let steps: usize = scripts.iter().map(|script| script.steps.len()).sum();
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&simulator, scripts, &origins, pace, &progress));
        let connect = |stage: &Stage, acknowledged: usize, later: &mut Vec<Later>| {
            if acknowledged > steps / 2 {
                for (person, user) in later.drain(..) {
                    stage.connect_garmin(person, &user);
                }
            }
        };
        if let Some(server) = server {
            let troubles = chaos::rage(&mut stage, server, seed, 500, &progress, |stage, acknowledged| {
                connect(stage, acknowledged, &mut later);
            });
            let kinds = chaos::ALL.iter().filter(|kind| troubles.contains(kind)).count();
            assert_eq!(kinds, chaos::ALL.len(), "too few pushes for every kind of trouble: {troubles:?}");
        } else {
            while let Some(acknowledged) = progress.wait(100) {
                connect(&stage, acknowledged, &mut later);
            }
        }
        pushing.join().expect("everything is pushed");
    });
    for (person, user) in later {
        stage.connect_garmin(person, &user);
    }
    let (acknowledged, attempts) = progress.totals();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{acknowledged} pushes acknowledged after {attempts} attempts in {seconds:.1} s ({:.0}/s)",
        acknowledged as f64 / seconds
    );
    let mut queue = stage.drain();
    if server.is_some() && queue.dead > 0 {
        // Five attempts within seconds, for which the product takes nine hours. What a long failure of a provider leaves among
        // the dead letters is an operator's to replay.
        println!("{} dead letters are replayed:\n{}", queue.dead, stage.troubled());
        stage.admin().execute("select public.replay_dead_letters()", &[]).expect("they can be replayed");
        queue = stage.drain();
    }
    println!("drained after {:.1} s: {queue:?}", start.elapsed().as_secs_f64());
    assert_eq!((queue.dead, queue.parked), (0, 0), "{}", stage.troubled());
    stage
}
