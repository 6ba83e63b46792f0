//! Three hosts on one database: no event is processed twice, no tick fires twice, and they are not slower for it.

use std::time::{Duration, Instant};

use welltrack_tests::simulator::model::Model;

use crate::lanes::{Progress, push};
use crate::script::{Script, Size};
use crate::server::wait_long_for;
use crate::stage::Stage;
use crate::{seed, short, verdict};

/// Pushes everything as fast as it is taken, and waits for the last settled event.
fn push_and_drain(stage: &Stage, scripts: &[Script]) {
    let origins: Vec<String> = stage.hosts.iter().map(crate::host::Host::origin).collect();
    push(&stage.simulator, scripts, &origins, Duration::ZERO, &Progress::default());
    stage.drain();
}

#[test]
fn three_hosts_process_each_event_once_and_are_not_slower_for_sharing_a_database() {
    let _alone = crate::alone();
    let seed = seed();
    let size = Size { lanes: 48, people_in_a_lane: 2, days: if short() { 8 } else { 20 } };
    let mut scripts: Vec<Script> = (0..size.lanes).map(|lane| Script::write(seed, lane, size)).collect();
    for script in &mut scripts {
        script.leave_strava_out();
    }
    // One host; three on its database; three with a database of each, which is what the machine gives three at best.
    let mut rates = [const { Vec::new() }; 3];
    // Interleaved, so that a machine that grows slower or faster meanwhile does so for all.
    for _ in 0..if short() { 1 } else { 3 } {
        for ((databases, hosts), rates) in [(1, 1), (1, 3), (3, 1)].into_iter().zip(&mut rates) {
            rates.push(round(seed, &scripts, databases, hosts));
        }
    }
    let [one, shared, apart] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!(
        "events a second: one host {one:.0}; three on one database {shared:.0} ({:.2} of it), on three {apart:.0} ({:.2})",
        shared / one,
        apart / one
    );
    // On few processors three hosts of any kind are slower than one. One short round says too little about speed to fail a
    // change for it.
    assert!(
        short() || shared > 0.85 * apart && shared > 0.7 * one,
        "three hosts stand in each other's way: {shared:.0} events a second, {apart:.0} where they share nothing"
    );
}

/// Pushes the scripts, split over so many databases with so many hosts each, all at the same time; gives events a second
/// from the first push to the last settled event.
fn round(seed: u64, scripts: &[Script], databases: usize, hosts: usize) -> f64 {
    let parts: Vec<_> = scripts
        .chunks(scripts.len().div_ceil(databases))
        .map(|scripts| {
            let mut stage = Stage::new("several", seed, 0);
            // Each as if it had a processor of its own: more threads than processors are slower.
            stage.tell_new_hosts("TOKIO_WORKER_THREADS", "1");
            for _ in 0..hosts {
                stage.add_host();
            }
            for user in scripts.iter().flat_map(|script| &script.people) {
                stage.connect_garmin(stage.sign_up(user), user);
            }
            watch(&stage);
            (stage, scripts)
        })
        .collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (stage, scripts) in &parts {
            scope.spawn(|| push_and_drain(stage, scripts));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut events = 0;
    for (stage, scripts) in &parts {
        let model = verdict::expected(scripts);
        verdict::judge(stage, scripts, &model);
        assert_once(stage, model.events());
        events += model.events();
    }
    events as f64 / seconds
}

/// From now on each settlement is written down by the database itself.
fn watch(stage: &Stage) {
    stage
        .admin()
        .batch_execute(
            "create schema watch;
             create table watch.settled (id uuid, attempts integer);
             create function watch.note() returns trigger language plpgsql security definer as $$
             begin
               insert into watch.settled values (new.id, new.attempts);
               return null;
             end $$;
             create trigger watch after update of status on public.wt_webhook_events
               for each row when (new.status = 'processed') execute function watch.note();",
        )
        .expect("a watch can be set");
}

fn assert_once(stage: &Stage, events: usize) {
    let row = stage
        .admin()
        .query_one("select count(*), count(distinct id), max(attempts) from watch.settled", &[])
        .expect("the watch can be read");
    let (settled, distinct, attempts): (i64, i64, i32) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((settled, distinct, attempts), (events as i64, events as i64, 1));
}

/// Strava takes a refresh token once: whoever came second with it would have lost the connection.
#[test]
fn an_expired_token_is_refreshed_once_however_many_events_need_it() {
    let _alone = crate::alone();
    let seed = seed();
    let size = Size { lanes: 16, people_in_a_lane: 1, days: 60 };
    let mut scripts: Vec<Script> = (0..size.lanes).map(|lane| Script::write(seed, lane, size)).collect();
    let stage = Stage::new("refresh", seed, 3);
    for script in &mut scripts {
        script.leave_garmin_out();
        stage.connect_strava(stage.sign_up(&script.athlete.to_string()), script.athlete);
        stage.simulator.expire_strava(script.athlete);
    }
    push_and_drain(&stage, &scripts);
    for script in &scripts {
        let refreshes = stage.simulator.strava_refreshes(script.athlete);
        assert_eq!((refreshes.granted, refreshes.refused), (1, 0), "athlete {}", script.athlete);
    }
    verdict::judge(&stage, &scripts, &Model::default());
}

#[test]
fn a_tick_fires_on_one_of_three_hosts() {
    if short() {
        println!("skipped in the short form: a tick comes once a minute");
        return;
    }
    let _alone = crate::alone();
    let mut stage = Stage::new("ticks", seed(), 0);
    stage.schedule_every_minute();
    for _ in 0..3 {
        stage.add_host();
    }
    let minute = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 60);
    let first = minute();
    let ticks = || stage.hosts.iter().map(crate::host::Host::ticks).sum::<u64>();
    // A second tick has come: what the first one did twice has been counted.
    wait_long_for("two ticks", || ticks() >= 2 && minute() >= first + 2);
    let (ticks, minutes) = (ticks(), minute() - first);
    assert!(ticks <= minutes, "{ticks} runs in {minutes} ticks");
}
