//! What dies while pushes come in, in an order that the seed decides.

use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use welltrack_tests::simulator::faults::{Endpoint, Fault, Rule, When, Window};

use crate::lanes::Progress;
use crate::server::Server;
use crate::stage::Stage;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    KillHost,
    KillWorkersInATransaction,
    KillDatabase,
    RestartDatabase,
    CutConnections,
    ProviderFails,
}

/// Every kind.
pub(crate) const ALL: [Trouble; 6] = [
    Trouble::KillHost,
    Trouble::KillWorkersInATransaction,
    Trouble::KillDatabase,
    Trouble::RestartDatabase,
    Trouble::CutConnections,
    Trouble::ProviderFails,
];

/// Makes trouble after every so many acknowledged pushes until everything is pushed; gives what it did. Each kind comes
/// before any comes again.
pub(crate) fn rage(
    stage: &mut Stage,
    server: &Server,
    seed: u64,
    every: usize,
    progress: &Progress,
    mut between: impl FnMut(&Stage, usize),
) -> Vec<Trouble> {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let start = Instant::now();
    let mut done = Vec::new();
    let mut bag = Vec::new();
    while let Some(acknowledged) = progress.wait(every) {
        between(stage, acknowledged);
        let trouble = bag.pop().unwrap_or_else(|| {
            bag = ALL.to_vec();
            bag.shuffle(&mut chance);
            bag.pop().expect("there are kinds")
        });
        let how = make(trouble, stage, server, &mut chance, progress);
        println!("{:6.1} s  {acknowledged:6} acknowledged  {how}", start.elapsed().as_secs_f64());
        done.push(trouble);
        stage.hurry(matches!(trouble, Trouble::KillHost | Trouble::KillWorkersInATransaction));
    }
    stage.simulator.heal();
    done
}

fn make(
    trouble: Trouble,
    stage: &mut Stage,
    server: &Server,
    chance: &mut Xoshiro256PlusPlus,
    progress: &Progress,
) -> String {
    match trouble {
        Trouble::KillHost => {
            let victim = chance.random_range(0..stage.hosts.len());
            stage.hosts[victim].kill();
            // The others go on without it for a while.
            progress.wait(chance.random_range(1..60));
            stage.hosts[victim].bring_back();
            format!("host {victim} killed -9")
        }
        Trouble::KillWorkersInATransaction => kill_workers(stage, chance),
        Trouble::KillDatabase => {
            server.kill();
            server.start();
            "database killed -9".into()
        }
        Trouble::RestartDatabase => {
            let mode = ["fast", "immediate"][chance.random_range(0..2_usize)];
            server.restart(mode);
            format!("database restarted, {mode}")
        }
        Trouble::CutConnections => {
            let cut = stage.admin().query_one(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
                &[],
            );
            format!("{} connections cut", cut.map_or(0, |row| row.get::<_, i64>(0)))
        }
        Trouble::ProviderFails => {
            stage.simulator.heal();
            let endpoint = [Endpoint::StravaActivity, Endpoint::StravaToken, Endpoint::GarminSummaries]
                [chance.random_range(0..3_usize)];
            let fault = match chance.random_range(0..6) {
                0 => Fault::Status(500),
                1 => Fault::Status(503),
                2 => Fault::Hang(20_000),
                3 => Fault::Cut,
                4 => Fault::RateLimited(Window::Quarter),
                _ => Fault::RateLimited(Window::ReadDay),
            };
            stage.simulator.fail(Rule { endpoint, fault, when: When::Share(0.5) });
            format!("the provider fails: {endpoint:?} {fault:?}")
        }
    }
}

/// Holds everybody's readings so that the workers must wait inside their transactions, and ends the hosts there. Then
/// either the transactions are ended too, or they go on without anybody who waits for them.
fn kill_workers(stage: &mut Stage, chance: &mut Xoshiro256PlusPlus) -> String {
    let mut holder = stage.admin();
    let mut held = holder.transaction().expect("a transaction begins");
    held.execute("select from public.wt_users order by id for update", &[]).expect("everybody can be held");
    let mut looker = stage.admin();
    let start = Instant::now();
    let waiting = loop {
        let row = looker.query_one(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
            &[],
        );
        let waiting: i64 = row.map_or(0, |row| row.get(0));
        if waiting > 0 || start.elapsed().as_secs() >= 3 {
            break waiting;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    for host in &mut stage.hosts {
        host.kill();
    }
    let end = chance.random::<bool>();
    if end {
        let _ = looker.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
            &[],
        );
    }
    held.rollback().expect("nothing was changed");
    for host in &mut stage.hosts {
        host.bring_back();
    }
    let left = if end { "ended" } else { "left to themselves" };
    format!("all hosts killed -9 while {waiting} transactions were open, which were {left}")
}
