//! A batch: the events of each account one after the other, accounts side by side.

use futures_util::StreamExt as _;
use futures_util::stream;
use welltrack_core::UnixMicros;
use welltrack_core::providers::oauth::Provider;
use welltrack_kit::clock;

use crate::event::{ClaimedEvent, EventOutcome, Settlement};
use crate::worker::Worker;
use crate::{garmin, strava};

/// Accounts whose provider is asked at the same time.
const AT_ONCE: usize = 8;

/// What becomes of each event. Events that could not be begun by `until` are released to other workers.
pub(crate) async fn process(
    worker: &Worker<'_>,
    events: Vec<ClaimedEvent>,
    until: UnixMicros,
) -> Vec<Settlement> {
    let accounts = by_account(events).into_iter().map(|events| account(worker, events, until));
    let settlements: Vec<Vec<Settlement>> = stream::iter(accounts).buffer_unordered(AT_ONCE).collect().await;
    settlements.into_iter().flatten().collect()
}

async fn account(worker: &Worker<'_>, events: Vec<ClaimedEvent>, until: UnixMicros) -> Vec<Settlement> {
    let mut settlements = Vec::with_capacity(events.len());
    let mut is_over = false;
    for event in events {
        // What came after the end of a connection waits for the next one.
        let outcome = if is_over || clock::unix_micros() > until {
            EventOutcome::Release
        } else {
            match event.source {
                Provider::Garmin => garmin::process(&event).await,
                Provider::Strava => strava::process(worker, &event).await,
            }
        };
        is_over |= outcome.disconnects();
        settlements.push(event.settled(outcome));
    }
    settlements
}

/// The events of each connection, in their order.
fn by_account(events: Vec<ClaimedEvent>) -> Vec<Vec<ClaimedEvent>> {
    let mut accounts: Vec<Vec<ClaimedEvent>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for event in events {
        let place = *places.entry(event.connection.id.clone()).or_insert_with(|| {
            accounts.push(Vec::new());
            accounts.len() - 1
        });
        accounts[place].push(event);
    }
    accounts
}
