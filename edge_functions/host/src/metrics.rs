//! What Prometheus is told.
//!
//! It counts and measures per function, never per person or path.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFunction {
    function: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    function: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    function: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTrigger {
    function: String,
    trigger: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTick {
    function: String,
    outcome: &'static str,
}

/// What became of a tick of a schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tick {
    /// This host ran it.
    Run,
    /// Another host did.
    Taken,
    /// There was no database to ask whose it is.
    Missed,
}

/// The registry and every family in it.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<OfStatus, Counter>,
    seconds: Family<OfFunction, Histogram, fn() -> Histogram>,
    running: Family<OfFunction, Gauge>,
    waiting: Family<OfFunction, Gauge>,
    cpu: Family<OfFunction, Counter<f64, AtomicU64>>,
    memory: Family<OfFunction, Gauge>,
    failures: Family<OfReason, Counter>,
    refused: Family<OfFunction, Counter>,
    runs: Family<OfTrigger, Counter>,
    ticks: Family<OfTick, Counter>,
    /// Open connections.
    pub(crate) connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("welltrack_edge"),
            requests: Family::default(),
            // From a tenth of a millisecond to a minute and a half.
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0001, 2.5, 16))),
            running: Family::default(),
            waiting: Family::default(),
            cpu: Family::default(),
            memory: Family::default(),
            failures: Family::default(),
            refused: Family::default(),
            runs: Family::default(),
            ticks: Family::default(),
            connections: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Calls answered", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Until the head of the answer",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("instances", "Instances alive", metrics.running.clone());
        registry.register("waiting", "Calls that wait for their turn", metrics.waiting.clone());
        registry.register_with_unit("cpu", "Processor time of instances", Unit::Seconds, metrics.cpu.clone());
        registry.register_with_unit(
            "memory_peak",
            "The most memory that one instance has had",
            Unit::Bytes,
            metrics.memory.clone(),
        );
        registry.register(
            "failures",
            "Calls that failed, by reason; traps among them",
            metrics.failures.clone(),
        );
        registry.register("outgoing_refused", "Outgoing calls to hosts not allowed", metrics.refused.clone());
        registry.register("trigger_runs", "Runs by schedules and notifications", metrics.runs.clone());
        registry.register(
            "schedule_ticks",
            "Ticks of schedules, by what became of them",
            metrics.ticks.clone(),
        );
        registry.register("connections", "Open connections", metrics.connections.clone());
        metrics
    }
}

impl Metrics {
    /// The counters of one function, all there from the start, so that a rate can be taken of the first failure.
    #[must_use]
    pub(crate) fn of(&self, function: &str, reasons: &[&'static str]) -> FunctionMetrics {
        let of = OfFunction { function: function.to_owned() };
        let owned = || function.to_owned();
        FunctionMetrics {
            function: function.to_owned(),
            requests: self.requests.clone(),
            answered: Mutex::default(),
            seconds: self.seconds.get_or_create_owned(&of),
            running: self.running.get_or_create_owned(&of),
            waiting: self.waiting.get_or_create_owned(&of),
            cpu: self.cpu.get_or_create_owned(&of),
            memory: self.memory.get_or_create_owned(&of),
            failures: reasons
                .iter()
                .map(|reason| {
                    (*reason, self.failures.get_or_create_owned(&OfReason { function: owned(), reason }))
                })
                .collect(),
            refused: self.refused.get_or_create_owned(&of),
            schedule: self.runs.get_or_create_owned(&OfTrigger { function: owned(), trigger: "schedule" }),
            ticks: ["run", "taken", "missed"]
                .map(|outcome| self.ticks.get_or_create_owned(&OfTick { function: owned(), outcome })),
            notify: self.runs.get_or_create_owned(&OfTrigger { function: owned(), trigger: "notify" }),
        }
    }

    /// The text of `/metrics`; `queue` is what the database says of its queue, if it answered.
    #[must_use]
    pub(crate) fn text(&self, queue: Option<&serde_json::Value>) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics can't be written");
        }
        let end = "# EOF\n";
        let body = text.strip_suffix(end).unwrap_or(&text);
        format!("{body}{}{end}", queue_text(queue))
    }
}

/// The queue's figures as the database names them (`queue_stats()`).
fn queue_text(queue: Option<&serde_json::Value>) -> String {
    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct OfStatus {
        status: &'static str,
    }
    type Figure = Gauge<f64, AtomicU64>;
    let mut registry = Registry::with_prefix("welltrack_queue");
    let up = Gauge::<i64>::default();
    up.set(i64::from(queue.is_some()));
    registry.register("up", "Whether the database told its figures", up);
    let figure = |name: &str| queue?.get(name)?.as_f64();
    let events = Family::<OfStatus, Figure>::default();
    for status in ["pending", "processing", "processed", "dead_letter", "parked"] {
        if let Some(count) = figure(status) {
            events.get_or_create(&OfStatus { status }).set(count);
        }
    }
    registry.register("events", "Webhook events, by status", events);
    for (name, help) in [
        ("oldest_pending_seconds", "Age of the oldest event that is due and not done"),
        ("retries", "Events that failed before and will be tried again"),
    ] {
        let gauge = Figure::default();
        gauge.set(figure(name).unwrap_or_default());
        registry.register(name, help, gauge);
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text.trim_end_matches("# EOF\n").to_owned(),
        Err(_) => String::new(),
    }
}

/// The counters of one function.
pub(crate) struct FunctionMetrics {
    function: String,
    requests: Family<OfStatus, Counter>,
    answered: Mutex<BTreeMap<u16, Counter>>,
    seconds: Histogram,
    running: Gauge,
    waiting: Gauge,
    cpu: Counter<f64, AtomicU64>,
    memory: Gauge,
    failures: BTreeMap<&'static str, Counter>,
    refused: Counter,
    schedule: Counter,
    ticks: [Counter; 3],
    notify: Counter,
}

impl FunctionMetrics {
    /// A call was answered.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        let status = status.as_u16();
        let mut known = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(status)
            .or_insert_with(|| {
                self.requests.get_or_create_owned(&OfStatus { function: self.function.clone(), status })
            })
            .inc();
        drop(known);
        self.seconds.observe(took.as_secs_f64());
    }

    /// An instance came to its end after that much processor time, with at most that many bytes.
    pub(crate) fn ended(&self, cpu: Duration, memory: usize) {
        self.cpu.inc_by(cpu.as_secs_f64());
        let memory = i64::try_from(memory).unwrap_or(i64::MAX);
        if memory > self.memory.get() {
            self.memory.set(memory);
        }
    }

    /// A call failed.
    pub(crate) fn failed(&self, reason: &str) {
        if let Some(counter) = self.failures.get(reason) {
            counter.inc();
        }
    }

    /// An outgoing call was refused.
    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    /// A schedule's time came.
    pub(crate) fn ticked(&self, tick: Tick) {
        self.ticks[tick as usize].inc();
        if matches!(tick, Tick::Run) {
            self.schedule.inc();
        }
    }

    /// A notification (or the poll behind it) called.
    pub(crate) fn notified(&self) {
        self.notify.inc();
    }

    /// Counts an instance until dropped.
    pub(crate) fn running(&self) -> InUse {
        InUse::of(&self.running)
    }

    /// Counts a waiting call until dropped.
    pub(crate) fn waiting(&self) -> InUse {
        InUse::of(&self.waiting)
    }
}

/// Counts something in a gauge as long as it lives.
pub(crate) struct InUse(Gauge);

impl InUse {
    /// One more in `gauge`.
    pub(crate) fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.dec();
    }
}
