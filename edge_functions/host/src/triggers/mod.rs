//! What calls functions besides requests: the clock, and the database.
//!
//! A notification is followed by a run that begins after it, however many come at once. A tick of a schedule is one run of one
//! host. There are never more runs of a function at once than its settings say.

mod database;
mod schedule;
mod triggered;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use welltrack_api::Address;

use self::database::Database;
use self::triggered::Triggered;
use crate::functions::Functions;
use crate::settings::Environment;

/// Starts everything that calls functions by itself; `stop` ends it, and `tasks` knows when it has ended.
pub(crate) fn start(
    functions: &Functions,
    environment: &Environment,
    database: Address,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let mut listeners = Vec::new();
    let mut schedules = Vec::new();
    for function in functions.iter() {
        let limits = &function.settings().limits;
        if limits.listen.is_none() && limits.schedule.is_none() {
            continue;
        }
        let triggered = Arc::new(Triggered::new(Arc::clone(function), environment));
        if let Some(channel) = &limits.listen {
            listeners.push((channel.clone(), Arc::clone(&triggered)));
            for _ in 0..limits.max_parallel_runs.0 {
                tasks.spawn(Arc::clone(&triggered).obey(stop.clone()));
            }
            tasks.spawn(Arc::clone(&triggered).poll(stop.clone()));
        }
        if let Some(schedule) = &limits.schedule {
            schedules.push((schedule.clone(), triggered));
        }
    }
    if listeners.is_empty() && schedules.is_empty() {
        return;
    }
    let database = Database::new(database, listeners);
    for (schedule, triggered) in schedules {
        tasks.spawn(schedule::keep(schedule, triggered, database.clone(), stop.clone()));
    }
    tasks.spawn(database.keep(stop.clone()));
}
