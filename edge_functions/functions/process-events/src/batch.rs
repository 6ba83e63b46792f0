//! A batch: the events of each account one after the other, accounts side by side.

use std::cell::{Cell, OnceCell};

use futures_util::StreamExt as _;
use futures_util::stream;
use welltrack_core::UnixMicros;
use welltrack_core::providers::oauth::Provider;
use welltrack_kit::provider::Door;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::settings::Missing;
use welltrack_kit::tokens::KeyRing;
use welltrack_kit::{clock, settings};

use crate::event::{Event, Outcome, Settlement};
use crate::{garmin, strava};

/// Accounts whose provider is asked at the same time.
const AT_ONCE: usize = 8;

/// What the events of one run share.
pub(crate) struct Worker<'a> {
    pub(crate) rpc: &'a Rpc,
    /// As it claims.
    pub(crate) name: &'a str,
    strava: OnceCell<Result<Door, Missing>>,
    keys: OnceCell<Result<KeyRing, String>>,
    /// Until when Strava wants to be left alone.
    pub(crate) strava_rests_until: Cell<Option<UnixMicros>>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(rpc: &'a Rpc, name: &'a str) -> Self {
        let (strava, keys) = (OnceCell::new(), OnceCell::new());
        Self { rpc, name, strava, keys, strava_rests_until: Cell::new(None) }
    }

    /// Where Strava is. Who connects nobody with Strava need not say.
    pub(crate) fn strava(&self) -> Result<&Door, String> {
        self.strava.get_or_init(|| Door::to(Provider::Strava)).as_ref().map_err(ToString::to_string)
    }

    pub(crate) fn keys(&self) -> Result<&KeyRing, String> {
        let read = || {
            let text = settings::required("WELLTRACK_TOKEN_KEYS").map_err(|missing| missing.to_string())?;
            KeyRing::parse(&text).map_err(|error| error.to_string())
        };
        self.keys.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// What becomes of each; those that could not be begun by `until` are for somebody else.
    pub(crate) async fn process(&self, events: Vec<Event>, until: UnixMicros) -> Vec<Settlement> {
        let accounts = by_account(events).into_iter().map(|events| self.account(events, until));
        let settlements: Vec<Vec<Settlement>> =
            stream::iter(accounts).buffer_unordered(AT_ONCE).collect().await;
        settlements.into_iter().flatten().collect()
    }

    async fn account(&self, events: Vec<Event>, until: UnixMicros) -> Vec<Settlement> {
        let mut settlements = Vec::with_capacity(events.len());
        let mut is_over = false;
        for event in events {
            // What came after the end of a connection waits for the next one.
            let outcome = if is_over || clock::unix_micros() > until {
                Outcome::Release
            } else {
                match event.source {
                    Provider::Garmin => garmin::process(&event).await,
                    Provider::Strava => strava::process(self, &event).await,
                }
            };
            is_over |= outcome.disconnects();
            settlements.push(event.settled(outcome));
        }
        settlements
    }
}

/// The events of each connection, in their order.
fn by_account(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut accounts: Vec<Vec<Event>> = Vec::new();
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
