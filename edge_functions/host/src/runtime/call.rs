//! One function, and a call of it.
//!
//! Promises: every call gets a fresh instance and an answer, whatever the guest does; a call that has begun goes on when its
//! client leaves, within its limits, so that a function isn't cut off between two writes. Stops at the door: tokens and paths
//! are looked at before.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::body::Body as AnyBody;
use http::{Request, Response};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::body::{self, Download, Upload};
use super::failure::Failure;
use super::guest::Guest;
use super::outgoing::{Outgoing, Outside};
use super::output::Output;
use super::run::{Run, Turn, Work};
use crate::metrics::FunctionMetrics;
use crate::settings;

/// A function that is being served.
pub(crate) struct Function {
    name: Arc<str>,
    settings: settings::Function,
    environment: Vec<(String, String)>,
    secrets: Arc<[String]>,
    component: ArcSwap<ProxyPre<Guest>>,
    turns: Arc<Semaphore>,
    metrics: FunctionMetrics,
    common: Common,
}

/// What all functions share.
#[derive(Clone)]
pub(crate) struct Common {
    /// Instances that may still be made.
    pub(crate) instances: Arc<Semaphore>,
    /// What lies beyond an instance.
    pub(crate) outside: Arc<Outside>,
    /// Knows of every instance that is alive.
    pub(crate) alive: TaskTracker,
}

/// A request for a function, with what the host knows of it.
pub(crate) struct Call {
    /// The request, its path as the guest sees it: `/<name>[/...]`.
    pub(crate) request: Request<AnyBody>,
    /// Whether it came over TLS, as far as the host is told.
    pub(crate) https: bool,
    /// The request's id, in logs, in the database and in the answer.
    pub(crate) id: Arc<str>,
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
            name: name.into(),
            // The URL is no secret; short values would black out half of a text.
            secrets: environment
                .iter()
                .filter(|(name, value)| name != "SUPABASE_URL" && value.len() >= 8)
                .map(|(_, value)| value.clone())
                .collect(),
            settings,
            environment,
            component: ArcSwap::from_pointee(component),
            turns: Arc::new(Semaphore::new(turns)),
            metrics,
            common,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its settings.
    pub(crate) fn settings(&self) -> &settings::Function {
        &self.settings
    }

    /// Serves further calls with another component; running ones go on with theirs.
    pub(crate) fn replace(&self, component: ProxyPre<Guest>) {
        self.component.store(Arc::new(component));
    }

    /// Calls the function.
    pub(crate) async fn call(self: &Arc<Self>, call: Call) -> Response<AnyBody> {
        let began = Instant::now();
        let id = Arc::clone(&call.id);
        let answer = match self.answer(call).await {
            Ok(answer) => answer,
            Err(failure) => failure.answer(),
        };
        let took = began.elapsed();
        self.metrics.answered(answer.status(), took);
        tracing::debug!(
            function = &*self.name,
            request_id = &*id,
            status = answer.status().as_u16(),
            ms = took.as_secs_f64() * 1e3,
            "answered"
        );
        answer
    }

    async fn answer(self: &Arc<Self>, call: Call) -> Result<Response<AnyBody>, Failure> {
        let limits = &self.settings.limits;
        let run = Arc::new(Run::new(Arc::clone(self), Arc::clone(&call.id)));
        let (parts, body) = call.request.into_parts();
        let (upload, breach) = Upload::begin(body, limits.body(), limits.idle())
            .await
            .inspect_err(|failure| run.fail(*failure))?;
        let turn = self.turn().await.inspect_err(|failure| run.fail(*failure))?;

        let scheme = if call.https { Scheme::Https } else { Scheme::Http };
        let request = Request::from_parts(parts, upload);
        let (sender, mut head) = oneshot::channel();
        let mut work = Work::new(Arc::clone(&run).work(request, scheme, sender, turn));

        // Polled here, and not in a task of its own: most functions are done by the time their answer begins.
        let mut breach = Some(breach);
        let begins = poll_fn(|context| {
            work.go_on(context);
            match breach.as_mut().map(|breach| Pin::new(breach).poll(context)) {
                Some(Poll::Ready(Ok(failure))) => return Poll::Ready(Err(failure)),
                Some(Poll::Ready(Err(_))) => breach = None,
                _ => {}
            }
            Pin::new(&mut head).poll(context).map(Ok)
        });
        let head = match timeout(limits.first_byte(), begins).await {
            Ok(Ok(head)) => head,
            Ok(Err(failure)) => return Err(run.stop(work, failure)),
            Err(_) => return Err(run.stop(work, Failure::FirstByte)),
        };
        match head {
            Ok(Ok(head)) => {
                let outcome = Arc::clone(&run.outcome);
                if work.is_done() && outcome.failure().is_none() {
                    return Ok(head.map(body::at_hand));
                }
                let rest = work.leave();
                let stop = move |failure| {
                    run.fail(failure);
                    if let Some(rest) = &rest {
                        rest.abort();
                    }
                };
                Ok(head.map(|body| AnyBody::new(Download::new(body, limits.idle(), outcome, stop))))
            }
            Ok(Err(code)) => {
                run.fail_with(Failure::NoAnswer, &format!("{code:?}"));
                Err(Failure::NoAnswer)
            }
            // The sender goes with the instance, and by then the run has said why.
            Err(_) => Err(run.outcome.failure().unwrap_or(Failure::NoAnswer)),
        }
    }

    /// Waits for a turn, as long as the settings allow.
    async fn turn(&self) -> Result<Turn, Failure> {
        let until = tokio::time::Instant::now() + self.settings.limits.queue_wait();
        let permit = async |of: &Arc<Semaphore>| {
            if let Ok(permit) = Arc::clone(of).try_acquire_owned() {
                return Ok(permit);
            }
            let _waiting = self.metrics.waiting();
            match timeout_at(until, Arc::clone(of).acquire_owned()).await {
                Ok(Ok(permit)) => Ok(permit),
                _ => Err(Failure::Busy),
            }
        };
        Ok(Turn {
            _function: permit(&self.turns).await?,
            _host: permit(&self.common.instances).await?,
            _counted: self.metrics.running(),
            _tracked: self.common.alive.token(),
        })
    }
}

impl Function {
    pub(super) fn component(&self) -> Arc<ProxyPre<Guest>> {
        self.component.load_full()
    }

    /// A guest with the function's environment and limits, for the request `id`.
    pub(super) fn guest(self: &Arc<Self>, id: &Arc<str>) -> Guest {
        Guest::new(
            &self.environment,
            self.settings.limits.memory(),
            Output::new(&self.name, id, &self.secrets),
            Outgoing::new(Arc::clone(self), Arc::clone(id)),
        )
    }

    pub(super) fn outside(&self) -> &Arc<Outside> {
        &self.common.outside
    }

    /// Its counters.
    pub(crate) fn metrics(&self) -> &FunctionMetrics {
        &self.metrics
    }
}
