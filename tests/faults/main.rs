//! Nothing is lost: pushes while hosts, workers and the database die; payloads from hell; clients that never finish;
//! several hosts on one database.
//!
//! Run by `cargo xtask test faults`, which sets what is needed: WELLTRACK_TEST_ADMIN_URL and WELLTRACK_TEST_TEMPLATE (a
//! cluster of these tests' own, durable), WELLTRACK_FAULTS_PGDATA and WELLTRACK_TEST_PG_BIN (to kill it and start it),
//! WELLTRACK_LOCAL_BIN and WELLTRACK_COMPONENTS (what dies and what runs in it). WELLTRACK_SEED repeats a run,
//! WELLTRACK_FAULTS=short makes it one for every change.

mod chaos;
mod clients;
mod consent;
mod host;
mod lanes;
mod missing;
mod mutate;
mod payloads;
mod script;
mod server;
mod several;
mod stage;
mod storm;
mod tokens;
mod verdict;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// An environment variable that must be there.
fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run these tests with `cargo xtask test faults`"))
}

/// The run's seed: the one that WELLTRACK_SEED names, else another each time. Printed, so that a failure can be
/// repeated.
fn seed() -> u64 {
    let seed = match std::env::var("WELLTRACK_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("WELLTRACK_SEED is a number, not `{text}`")),
        Err(_) => std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64 % 1_000_000),
    };
    println!("WELLTRACK_SEED={seed}");
    seed
}

/// Whether the run is the short one.
fn short() -> bool {
    std::env::var("WELLTRACK_FAULTS").is_ok_and(|form| form == "short")
}

/// These tests kill the server under each other's feet, so each runs alone.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
