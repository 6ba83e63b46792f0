//! The running of an instance, from its making to its end.
//!
//! An instance stays within its processor time, its memory and its total time. Whatever ends it is recorded once and told with
//! one line in the log, before the ends of its bodies are dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::body::Upload;
use super::failure::{Failure, FirstFailure};
use super::function::{Function, Permit};
use super::meter::Metered;

/// What a guest may hand to the host in one call, in bytes; its pieces of bodies are smaller.
const PER_HOST_CALL: usize = 16 << 20;

/// The processor limit, as the error that ends a guest.
#[derive(Debug, thiserror::Error)]
#[error("no processor time left")]
struct OutOfTime;

/// What a call has to do. Whoever waits for the answer goes on with it; from then on, or when nobody waits any more, the rest
/// is a task of its own, so that a function is not cut off between two writes.
pub(super) struct Work(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Work {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }

    /// Works as far as it goes at the moment.
    pub(super) fn go_on(&mut self, context: &mut Context) {
        if self.0.as_mut().is_some_and(|work| work.as_mut().poll(context).is_ready()) {
            self.0 = None;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Leaves the rest to a task, if there is one.
    pub(super) fn leave(mut self) -> Option<AbortHandle> {
        self.0.take().map(|work| tokio::spawn(work).abort_handle())
    }

    /// Ends it where it stands.
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            tokio::spawn(work);
        }
    }
}

/// A call that has its instance.
pub(super) struct Run {
    function: Arc<Function>,
    id: Arc<str>,
    pub(super) first_failure: Arc<FirstFailure>,
}

type Head = oneshot::Sender<Result<Response<WasiBody>, ErrorCode>>;

impl Run {
    pub(super) fn new(function: Arc<Function>, id: Arc<str>) -> Self {
        Self { function, id, first_failure: Arc::default() }
    }

    /// From the making of the instance to its end.
    pub(super) async fn work(
        self: Arc<Self>,
        request: Request<Upload>,
        scheme: Scheme,
        head: Head,
        _permit: Permit,
    ) {
        let function = &self.function;
        let limits = &function.settings().limits;
        let component = function.component();
        let guest = self.function.guest(&self.id);
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
        let ended = timeout(limits.total(), Metered::new(work, meter)).await;
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
    }

    /// Ends the work with that failure.
    pub(super) fn stop(&self, work: Work, failure: Failure) -> Failure {
        self.fail(failure);
        work.end();
        failure
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.fail_with(failure, "");
    }

    /// Records the first failure of a call: for the answer, in the metrics, and with one line in the log.
    pub(super) fn fail_with(&self, failure: Failure, detail: &str) {
        if self.first_failure.set(failure) {
            self.function.metrics().failed(failure.reason());
            tracing::warn!(
                function = self.function.name(),
                request_id = &*self.id,
                reason = failure.reason(),
                detail,
                "a call failed"
            );
        }
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
