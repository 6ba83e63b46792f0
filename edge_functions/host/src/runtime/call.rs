//! One function, and a call of it.
//!
//! Promises: every call gets a fresh instance and an answer, whatever the guest does; a call that has begun goes on when its
//! client leaves, within its limits, so that a function isn't cut off between two writes. Stops at the door: tokens and paths
//! are looked at before.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::body::Body as AnyBody;
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::task::TaskTracker;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::body::{Download, Upload};
use super::failure::{Failure, Outcome};
use super::guest::Guest;
use super::meter::Metered;
use super::outgoing::{Outgoing, Outside};
use super::output::Output;
use crate::metrics::{FunctionMetrics, InUse};
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

/// What a guest may hand to the host in one call, in bytes; its pieces of bodies are smaller.
const PER_HOST_CALL: usize = 16 << 20;

/// The processor limit, as the error that ends a guest.
#[derive(Debug)]
struct OutOfTime;
impl std::error::Error for OutOfTime {}
impl std::fmt::Display for OutOfTime {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.write_str("no processor time left")
    }
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
        let run =
            Arc::new(Run { function: Arc::clone(self), id: Arc::clone(&call.id), outcome: Arc::default() });
        let (parts, body) = call.request.into_parts();
        let (upload, breach) = Upload::begin(body, limits.body(), limits.idle())
            .await
            .inspect_err(|failure| run.fail(*failure))?;
        let turn = self.turn().await.inspect_err(|failure| run.fail(*failure))?;

        let scheme = if call.https { Scheme::Https } else { Scheme::Http };
        let request = Request::from_parts(parts, upload);
        let (sender, head) = oneshot::channel();
        let work = Arc::clone(&run).work(request, scheme, sender, turn);
        let task = self.common.alive.spawn(work);

        let stop = {
            let (run, task) = (Arc::clone(&run), task.abort_handle());
            move |failure| {
                run.fail(failure);
                task.abort();
            }
        };
        let head = tokio::select! {
            biased;
            Ok(failure) = breach => {
                stop(failure);
                return Err(failure);
            }
            head = timeout(limits.first_byte(), head) => head,
        };
        match head {
            Err(_) => {
                stop(Failure::FirstByte);
                Err(Failure::FirstByte)
            }
            Ok(Ok(Ok(head))) => Ok(head.map(|body| {
                AnyBody::new(Download::new(body, limits.idle(), Arc::clone(&run.outcome), stop))
            })),
            Ok(Ok(Err(code))) => {
                run.fail_with(Failure::NoAnswer, &format!("{code:?}"));
                Err(Failure::NoAnswer)
            }
            // The sender goes with the instance, and by then the run has said why.
            Ok(Err(_)) => Err(run.outcome.failure().unwrap_or(Failure::NoAnswer)),
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
        Ok(Turn(permit(&self.turns).await?, permit(&self.common.instances).await?, self.metrics.running()))
    }
}

/// The right to have an instance, and its count in the metrics; given back when dropped.
struct Turn(
    #[expect(dead_code)] OwnedSemaphorePermit,
    #[expect(dead_code)] OwnedSemaphorePermit,
    #[expect(dead_code)] InUse,
);

/// A call that has its instance.
struct Run {
    function: Arc<Function>,
    id: Arc<str>,
    outcome: Arc<Outcome>,
}

type Head = oneshot::Sender<Result<Response<WasiBody>, ErrorCode>>;

impl Run {
    /// From the making of the instance to its end.
    async fn work(self: Arc<Self>, request: Request<Upload>, scheme: Scheme, head: Head, _turn: Turn) {
        let function = &*self.function;
        let limits = &function.settings.limits;
        let component = function.component.load_full();
        let guest = Guest::new(
            &function.environment,
            limits.memory(),
            Output::new(&function.name, &self.id, &function.secrets),
            Outgoing::new(Arc::clone(&self.function), Arc::clone(&self.id)),
        );
        let meter = Arc::clone(&guest.meter);
        let mut store = Store::new(component.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(PER_HOST_CALL);
        store.set_epoch_deadline(1);
        let cpu = limits.cpu();
        store.epoch_deadline_callback(move |store| {
            if store.data().meter.used_with_this_poll() >= cpu {
                return Err(OutOfTime.into());
            }
            Ok(UpdateDeadline::Yield(1))
        });

        let mut made = false;
        let work = async {
            let request = store.data_mut().http().new_incoming_request(scheme, request)?;
            let head = store.data_mut().http().new_response_outparam(head)?;
            let proxy = component.instantiate_async(&mut store).await?;
            made = true;
            proxy.wasi_http_incoming_handler().call_handle(&mut store, request, head).await
        };
        let ended = timeout(limits.total(), Metered::new(work, Arc::clone(&meter))).await;
        // What went wrong is said before the store, and the ends of the bodies in it, are dropped.
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let failure = match reason(&error, store.data().memory.refused) {
                    Failure::Trap if !made => Failure::Host,
                    failure => failure,
                };
                self.fail_with(failure, &format!("{error:#}"));
            }
            Err(_) => self.fail(Failure::Total),
        }
        function.metrics.ended(meter.used(), store.data().memory.peak);
    }

    fn fail(&self, failure: Failure) {
        self.fail_with(failure, "");
    }

    /// Records the first failure of a call: in the outcome, in the metrics, and with one line in the log.
    fn fail_with(&self, failure: Failure, detail: &str) {
        if self.outcome.fail(failure) {
            self.function.metrics.failed(failure.reason());
            tracing::warn!(
                function = &*self.function.name,
                request_id = &*self.id,
                reason = failure.reason(),
                detail,
                "a call failed"
            );
        }
    }
}

impl Function {
    pub(super) fn outside(&self) -> &Arc<Outside> {
        &self.common.outside
    }

    /// Its counters.
    pub(crate) fn metrics(&self) -> &FunctionMetrics {
        &self.metrics
    }
}

fn reason(error: &wasmtime::Error, memory_refused: bool) -> Failure {
    if error.downcast_ref::<OutOfTime>().is_some() {
        return Failure::Cpu;
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Failure::Exit(exit.0);
    }
    if memory_refused { Failure::Memory } else { Failure::Trap }
}
