//! A function that is being served: its component, its settings, and the right to an instance of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::egress::Egress;
use super::failure::Failure;
use super::guest::Guest;
use super::identity::Identity;
use super::outgoing::Outgoing;
use super::output::Output;
use crate::metrics::{FunctionMetrics, InUse};
use crate::settings;

/// A function that is being served.
pub(crate) struct Function {
    identity: Arc<Identity>,
    environment: Vec<(String, String)>,
    secrets: Arc<[String]>,
    component: ArcSwap<ProxyPre<Guest>>,
    turns: Arc<Semaphore>,
    common: Common,
}

/// What all functions share.
#[derive(Clone)]
pub(crate) struct Common {
    /// Instances that may still be made.
    pub(crate) instances: Arc<Semaphore>,
    /// The way to other servers, and to the project's own.
    pub(crate) egress: Arc<Egress>,
    /// Knows of every instance that is alive.
    pub(crate) alive: TaskTracker,
}

/// The right to have an instance; given back when dropped.
pub(super) struct Permit {
    _function: OwnedSemaphorePermit,
    _host: OwnedSemaphorePermit,
    _counted: InUse,
    _tracked: TaskTrackerToken,
}

impl Function {
    /// A function with the limits of `settings`, which sees the variables of `environment` and no others.
    pub(crate) fn new(
        name: &str,
        settings: settings::Function,
        environment: Vec<(String, String)>,
        component: ProxyPre<Guest>,
        metrics: FunctionMetrics,
        common: Common,
    ) -> Self {
        let turns = usize::try_from(settings.limits.concurrency.0).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            // The URL is no secret; short values would black out half of a text.
            secrets: environment
                .iter()
                .filter(|(name, value)| name != "SUPABASE_URL" && value.len() >= 8)
                .map(|(_, value)| value.clone())
                .collect(),
            identity: Arc::new(Identity { name: name.into(), settings, metrics }),
            environment,
            component: ArcSwap::from_pointee(component),
            turns: Arc::new(Semaphore::new(turns)),
            common,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.identity.name
    }

    /// Its settings.
    pub(crate) fn settings(&self) -> &settings::Function {
        &self.identity.settings
    }

    /// Serves further calls with another component; running ones go on with theirs.
    pub(crate) fn replace(&self, component: ProxyPre<Guest>) {
        self.component.store(Arc::new(component));
    }

    /// Waits for the right to an instance, as long as the settings allow.
    pub(super) async fn permit(&self) -> Result<Permit, Failure> {
        let until = tokio::time::Instant::now() + self.settings().limits.queue_wait();
        let permit = async |of: &Arc<Semaphore>| {
            if let Ok(permit) = Arc::clone(of).try_acquire_owned() {
                return Ok(permit);
            }
            let _waiting = self.metrics().waiting();
            match timeout_at(until, Arc::clone(of).acquire_owned()).await {
                Ok(Ok(permit)) => Ok(permit),
                _ => Err(Failure::Busy),
            }
        };
        Ok(Permit {
            _function: permit(&self.turns).await?,
            _host: permit(&self.common.instances).await?,
            _counted: self.metrics().running(),
            _tracked: self.common.alive.token(),
        })
    }

    pub(super) fn component(&self) -> Arc<ProxyPre<Guest>> {
        self.component.load_full()
    }

    /// A guest with the function's environment and limits, for the request `id`.
    pub(super) fn guest(&self, id: &Arc<str>) -> Guest {
        Guest::new(
            &self.environment,
            self.settings().limits.memory(),
            Output::new(self.name(), id, &self.secrets),
            Outgoing::new(Arc::clone(&self.identity), Arc::clone(&self.common.egress), Arc::clone(id)),
        )
    }

    /// Its counters.
    pub(crate) fn metrics(&self) -> &FunctionMetrics {
        &self.identity.metrics
    }
}
