//! A call of a function.
//!
//! Every call gets a fresh instance and an answer, whatever the guest does. A call that has begun goes on when its client leaves,
//! within its limits, so that a function isn't cut off between two writes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::body::Body as AnyBody;
use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::body::{self, Download, Upload};
use super::failure::Failure;
use super::function::Function;
use super::run::{Run, Work};

/// A request for a function, with what the host knows of it.
pub(crate) struct Call {
    /// The request, its path as the guest sees it: `/<name>[/...]`.
    pub(crate) request: Request<AnyBody>,
    /// Whether it came over TLS, as far as the host is told.
    pub(crate) https: bool,
    /// The request's id, in logs, in the database and in the answer.
    pub(crate) id: Arc<str>,
}

/// Calls a function.
pub(crate) async fn call(function: &Arc<Function>, call: Call) -> Response<AnyBody> {
    let began = Instant::now();
    let id = Arc::clone(&call.id);
    let answer = match answer(function, call).await {
        Ok(answer) => answer,
        Err(failure) => failure.answer(),
    };
    let took = began.elapsed();
    function.metrics().answered(answer.status(), took);
    tracing::debug!(
        function = function.name(),
        request_id = &*id,
        status = answer.status().as_u16(),
        ms = took.as_secs_f64() * 1e3,
        "answered"
    );
    answer
}

async fn answer(function: &Arc<Function>, call: Call) -> Result<Response<AnyBody>, Failure> {
    let limits = &function.settings().limits;
    let run = Arc::new(Run::new(Arc::clone(function), Arc::clone(&call.id)));
    let (parts, body) = call.request.into_parts();
    let (upload, breach) =
        Upload::begin(body, limits.body(), limits.idle()).await.inspect_err(|failure| run.fail(*failure))?;
    let permit = function.permit().await.inspect_err(|failure| run.fail(*failure))?;

    let scheme = if call.https { Scheme::Https } else { Scheme::Http };
    let request = Request::from_parts(parts, upload);
    let (sender, mut head) = oneshot::channel();
    let mut work = Work::new(Arc::clone(&run).work(request, scheme, sender, permit));

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
            let first_failure = Arc::clone(&run.first_failure);
            if work.is_done() && first_failure.get().is_none() {
                return Ok(head.map(body::at_hand));
            }
            let rest = work.leave();
            let stop = move |failure| {
                run.fail(failure);
                if let Some(rest) = &rest {
                    rest.abort();
                }
            };
            Ok(head.map(|body| AnyBody::new(Download::new(body, limits.idle(), first_failure, stop))))
        }
        Ok(Err(code)) => {
            run.fail_with(Failure::NoAnswer, &format!("{code:?}"));
            Err(Failure::NoAnswer)
        }
        // The sender goes with the instance, and by then the run has said why.
        Err(_) => Err(run.first_failure.get().unwrap_or(Failure::NoAnswer)),
    }
}
