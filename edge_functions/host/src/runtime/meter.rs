//! How much processor time an instance has used.
//!
//! Counts the time of the thread while the guest (or the host on its behalf) runs, and nothing while it waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The processor time of one instance.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Nanoseconds of the polls that are over.
    spent: AtomicU64,
    /// The thread's clock when the running poll began.
    began: AtomicU64,
}

impl Meter {
    /// The time used up to now. Exact on the thread that runs the guest; elsewhere it may lack the running poll.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    /// The same with the running poll, for the thread that runs it.
    pub(super) fn used_with_this_poll(&self) -> Duration {
        self.used() + Duration::from_nanos(thread_time().saturating_sub(self.began.load(Relaxed)))
    }
}

/// A future whose polls are counted.
pub(super) struct Metered<F> {
    work: Pin<Box<F>>,
    meter: Arc<Meter>,
}

impl<F: Future> Metered<F> {
    pub(super) fn new(work: F, meter: Arc<Meter>) -> Self {
        Self { work: Box::pin(work), meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<F::Output> {
        let began = thread_time();
        self.meter.began.store(began, Relaxed);
        let state = self.work.as_mut().poll(context);
        self.meter.spent.fetch_add(thread_time().saturating_sub(began), Relaxed);
        state
    }
}

/// Nanoseconds that this thread has run.
fn thread_time() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .ok()
        .and_then(|time| u64::try_from(Duration::from(time).as_nanos()).ok())
        .unwrap_or(0)
}
