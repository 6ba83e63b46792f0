//! Schedules.
//!
//! Of all hosts on one database, one runs a tick. A tick that falls into a run of this host, or into a time without a database,
//! is not made up for.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::triggered::Triggered;
use crate::metrics::Tick;
use crate::settings::Schedule;

/// The longest sleep before the wall clock is looked at again: it may have been put right meanwhile.
const LOOK: Duration = Duration::from_secs(20);

pub(super) async fn keep(
    schedule: Schedule,
    triggered: Arc<Triggered>,
    database: Database,
    stop: CancellationToken,
) {
    let mut now = Utc::now();
    while let Some(tick) = schedule.next_after(now) {
        if stop.run_until_cancelled(until(tick)).await.is_none() {
            return;
        }
        let claim = database.claim(triggered.function.name(), tick).await;
        triggered.function.metrics().ticked(claim);
        if matches!(claim, Tick::Run) {
            triggered.run("schedule", Some(&tick.to_rfc3339())).await;
        }
        // Not before the tick, whatever the clock says now.
        now = Utc::now().max(tick);
    }
}

async fn until(tick: DateTime<Utc>) {
    while let Ok(left) = (tick - Utc::now()).to_std()
        && !left.is_zero()
    {
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
