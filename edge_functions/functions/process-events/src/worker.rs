//! What the events of one run share: the database, the worker's name, Strava's address and credentials, the keys.

use std::cell::{Cell, OnceCell};

use welltrack_core::UnixMicros;
use welltrack_core::providers::oauth::Provider;
use welltrack_kit::provider::ProviderEndpoint;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::settings::Missing;
use welltrack_kit::tokens::{KeyRing, KeyRingError};

/// One run of this function.
pub(crate) struct Worker<'a> {
    pub(crate) rpc: &'a Rpc,
    /// The name under which it claims events.
    pub(crate) name: &'a str,
    strava: OnceCell<Result<ProviderEndpoint, Missing>>,
    keys: OnceCell<Result<KeyRing, KeyRingError>>,
    /// Until when Strava's rate limit forbids calls.
    pub(crate) strava_rests_until: Cell<Option<UnixMicros>>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(rpc: &'a Rpc, name: &'a str) -> Self {
        let (strava, keys) = (OnceCell::new(), OnceCell::new());
        Self { rpc, name, strava, keys, strava_rests_until: Cell::new(None) }
    }

    /// Where Strava is. The settings are read at the first use: an installation without Strava has none.
    pub(crate) fn strava(&self) -> Result<&ProviderEndpoint, Missing> {
        self.strava
            .get_or_init(|| ProviderEndpoint::from_settings(Provider::Strava))
            .as_ref()
            .map_err(|error| *error)
    }

    /// The keys that tokens are sealed with.
    pub(crate) fn keys(&self) -> Result<&KeyRing, &KeyRingError> {
        self.keys.get_or_init(KeyRing::from_settings).as_ref()
    }
}
