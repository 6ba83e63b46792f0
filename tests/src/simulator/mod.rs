//! A stand-in for Garmin and Strava: one HTTP server that behaves as both are known to, faults included.
//!
//! Promises: OAuth with PKCE and rotating refresh tokens, Garmin's pull API and Strava's activities under their own
//! paths and field names; every request is recorded; faults come by count or by seeded chance; each answer says that
//! it is a stand-in. [`courier`] pushes as the providers do, [`garmin`] and [`strava`] word what is pushed, and
//! [`model`] says what must have become of it. Stops at behaviour that the project's own papers don't describe, and at
//! consent: whoever opens the authorize page has agreed.

pub mod courier;
pub mod days;
pub mod faults;
pub mod garmin;
pub mod history;
pub mod model;
pub mod strava;

#[cfg(test)]
mod behaviour;
mod control;
mod oauth;
mod pages;
mod recorder;
mod strava_pages;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};

use faults::{Faults, Rule};
use oauth::Authority;
pub use oauth::Refreshes;
pub use recorder::Seen;
use strava::Activity;

/// What the stand-in is started with. [`Settings::default`] suits tests: a free port and well-known credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides which requests meet a fault, where a fault comes by chance.
    pub seed: u64,
    /// The consumer's id at Garmin, also sent as the header `garmin-client-id` of each push.
    pub garmin_client_id: String,
    /// Its secret.
    pub garmin_client_secret: String,
    /// The secret part of the webhook's address, which Garmin is told once.
    pub garmin_webhook_secret: String,
    /// The application's id at Strava.
    pub strava_client_id: String,
    /// Its secret, which also signs the events.
    pub strava_client_secret: String,
    /// Echoed in the subscription check.
    pub strava_verify_token: String,
    /// The id of the one subscription an application may have.
    pub strava_subscription_id: u64,
    /// How long an access token is good for (Garmin: a day; Strava: six hours).
    pub token_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 0,
            garmin_client_id: "stand-in-garmin-client".into(),
            garmin_client_secret: "stand-in-garmin-secret".into(),
            garmin_webhook_secret: "stand-in-webhook-path".into(),
            strava_client_id: "4242".into(),
            strava_client_secret: "stand-in-strava-secret".into(),
            strava_verify_token: "stand-in-verify-token".into(),
            strava_subscription_id: 120_475,
            token_lifetime: Duration::from_secs(6 * 3600),
        }
    }
}

/// A running stand-in; it stops answering when this goes out of scope.
pub struct Simulator {
    /// Such as `http://127.0.0.1:41234`, without a slash at the end.
    pub base_url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// What all requests share.
pub(crate) struct Shared {
    settings: Settings,
    base_url: String,
    state: Mutex<State>,
}

/// What the providers know. One lock: a stand-in need not be fast, and nobody waits while holding it.
pub(crate) struct State {
    garmin: Authority,
    strava: Authority,
    faults: Faults,
    seen: Vec<Seen>,
    /// What a ping's callback address will answer, by its token.
    callbacks: std::collections::BTreeMap<String, Value>,
    activities: std::collections::BTreeMap<u64, Activity>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock has said so already.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Simulator {
    /// Starts the stand-in on threads of its own.
    ///
    /// # Errors
    ///
    /// An address that can't be listened on.
    pub fn start(settings: Settings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("provider-simulator")
            .enable_all()
            .build()?;
        // Bound before the runtime is entered, so that this can be called from any thread.
        let listener = std::net::TcpListener::bind(settings.listen)
            .with_context(|| format!("could not listen on {}", settings.listen))?;
        listener.set_nonblocking(true)?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                garmin: Authority::new("garmin", settings.token_lifetime),
                strava: Authority::new("strava", settings.token_lifetime),
                faults: Faults::new(settings.seed),
                seen: Vec::new(),
                callbacks: Default::default(),
                activities: Default::default(),
            }),
            base_url: base_url.clone(),
            settings,
        });
        let app = pages::router(Arc::clone(&shared));
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(async move {
            // Ends with the runtime; an accept that fails is tried again by axum.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { base_url, shared, runtime: Some(runtime) })
    }

    /// What it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The settings with which the project's functions meet this stand-in instead of the providers.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment_of(self.settings(), &self.base_url)
    }

    /// The runtime that serves: for callers that have none of their own and want to push.
    ///
    /// # Panics
    ///
    /// Never: the runtime is there until the stand-in is dropped.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("there until dropped").handle()
    }

    /// A courier with this stand-in's credentials.
    #[must_use]
    pub fn courier(&self) -> courier::Courier {
        courier::Courier::new(self.settings())
    }

    /// Adds a fault.
    pub fn fail(&self, rule: Rule) {
        self.shared.state().faults.add(rule);
    }

    /// From now on everything works, also for those who hang.
    pub fn heal(&self) {
        self.shared.state().faults.clear();
    }

    /// Every request that has been answered, oldest first, those of the control API left out.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Adds an activity or replaces the one of that id.
    pub fn put_activity(&self, activity: Activity) {
        self.shared.state().activities.insert(activity.id, activity);
    }

    /// Forgets an activity; gives it back if there was one.
    pub fn delete_activity(&self, id: u64) -> Option<Activity> {
        self.shared.state().activities.remove(&id)
    }

    /// The activities that Strava has, by id.
    #[must_use]
    pub fn activities(&self) -> Vec<Activity> {
        self.shared.state().activities.values().cloned().collect()
    }

    /// How Strava's tokens of that athlete were used.
    #[must_use]
    pub fn strava_refreshes(&self, athlete: u64) -> Refreshes {
        self.shared.state().strava.refreshes(&athlete.to_string())
    }

    /// The access token of that athlete is past its time; the refresh token is good.
    pub fn expire_strava(&self, athlete: u64) {
        self.shared.state().strava.expire(&athlete.to_string());
    }

    /// The athlete has withdrawn consent: no token is good any more. The event is for the caller to push.
    pub fn revoke_strava(&self, athlete: u64) {
        self.shared.state().strava.revoke(&athlete.to_string());
    }

    /// Whether any token of that Garmin user is still good.
    #[must_use]
    pub fn garmin_connected(&self, user: &str) -> bool {
        self.shared.state().garmin.connected(user)
    }

    /// Whether any token of that athlete is still good.
    #[must_use]
    pub fn strava_connected(&self, athlete: u64) -> bool {
        self.shared.state().strava.connected(&athlete.to_string())
    }

    /// Turns an envelope of summaries into a ping: the same types and users with a callback address each, which this
    /// stand-in answers.
    #[must_use]
    pub fn as_ping(&self, envelope: &Value) -> Value {
        garmin::ping(envelope, &self.base_url, &mut self.shared.state().callbacks)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not the waiting kind, which may not be used where another runtime drops this.
            runtime.shutdown_background();
        }
    }
}

fn environment_of(settings: &Settings, base_url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("GARMIN_WEBHOOK_SECRET", settings.garmin_webhook_secret.clone()),
        ("GARMIN_CLIENT_ID", settings.garmin_client_id.clone()),
        ("GARMIN_CLIENT_SECRET", settings.garmin_client_secret.clone()),
        ("GARMIN_AUTHORIZE_URL", format!("{base_url}{}", pages::GARMIN_AUTHORIZE)),
        ("GARMIN_TOKEN_URL", format!("{base_url}{}", pages::GARMIN_TOKEN)),
        ("GARMIN_API_BASE", base_url.to_owned()),
        ("STRAVA_VERIFY_TOKEN", settings.strava_verify_token.clone()),
        ("STRAVA_SUBSCRIPTION_ID", settings.strava_subscription_id.to_string()),
        ("STRAVA_CLIENT_ID", settings.strava_client_id.clone()),
        ("STRAVA_CLIENT_SECRET", settings.strava_client_secret.clone()),
        ("STRAVA_REQUIRE_SIGNATURE", "true".into()),
        ("STRAVA_API_BASE", base_url.to_owned()),
    ]
}
