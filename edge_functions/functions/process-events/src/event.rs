//! The two ends of an event's way through the worker: as it is claimed, and what becomes of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use welltrack_core::UnixMicros;
use welltrack_core::providers::reading::{Reading, Workout};
use welltrack_core::providers::{Provider, ReportedAt};

/// What `claim_webhook_events` hands out.
#[derive(Deserialize)]
pub(crate) struct Claim {
    pub(crate) events: Vec<ClaimedEvent>,
    /// How many events of nobody known were set aside on the way.
    pub(crate) parked: u64,
    pub(crate) pending_now: u64,
    /// Whether what is due was left to others.
    pub(crate) yielded: bool,
}

/// A claimed event.
#[derive(Deserialize)]
pub(crate) struct ClaimedEvent {
    pub(crate) id: String,
    pub(crate) source: Provider,
    pub(crate) event_type: String,
    /// Unread: most of what a watch measures is in types that nobody here reads.
    pub(crate) payload: Box<RawValue>,
    /// This one included.
    pub(crate) attempts: u32,
    /// Why the attempt before this one failed.
    pub(crate) last_error: Option<String>,
    pub(crate) connection: Connection,
}

/// Whose it is.
#[derive(Deserialize)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// IANA name.
    pub(crate) timezone: String,
}

/// What became of an event, as `settle_webhook_events` takes it.
#[derive(Debug, Serialize)]
pub(crate) struct Settlement {
    id: String,
    #[serde(flatten)]
    pub(crate) outcome: EventOutcome,
}

/// What is to be done about an event.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(crate) enum EventOutcome {
    /// Done: this is what it said.
    Processed(EventResult),
    /// Failed; another attempt may help.
    Retry {
        /// Why.
        error: String,
    },
    /// Not now, and nobody's fault.
    Wait {
        /// Not before then.
        #[serde(serialize_with = "instant")]
        until: UnixMicros,
    },
    /// No attempt will help.
    Dead {
        /// Why.
        error: String,
    },
    /// Not begun: for somebody else.
    Release,
}

/// What an event said.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct EventResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) metrics: Vec<Reading>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) workouts: Vec<Workout>,
    /// Records that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deleted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<ConnectionChange>,
    /// What could not be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// What it said of the connection.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectionChange {
    /// Whether there still is consent.
    IsConnected(bool),
    /// What is allowed.
    Scopes(Vec<String>),
}

impl ClaimedEvent {
    /// Whether the provider has to be asked before it can be settled: some providers' events only name things, and so do
    /// Garmin's pings.
    pub(crate) fn asks_provider(&self) -> bool {
        self.source.rules().reported_at == ReportedAt::Processing
            || self.payload.get().contains("callbackURL")
    }

    pub(crate) fn settled(self, outcome: EventOutcome) -> Settlement {
        Settlement { id: self.id, outcome }
    }
}

impl EventOutcome {
    pub(crate) fn retry(error: impl ToString) -> Self {
        Self::Retry { error: error.to_string() }
    }

    pub(crate) fn dead(error: impl ToString) -> Self {
        Self::Dead { error: error.to_string() }
    }

    /// Consent is over.
    pub(crate) fn disconnected(error: Option<&str>) -> Self {
        let connection = Some(ConnectionChange::IsConnected(false));
        Self::Processed(EventResult { connection, error: error.map(str::to_owned), ..EventResult::default() })
    }

    /// Whether it ends the connection.
    pub(crate) fn disconnects(&self) -> bool {
        matches!(
            self,
            Self::Processed(EventResult { connection: Some(ConnectionChange::IsConnected(false)), .. })
        )
    }
}

fn instant<S: Serializer>(micros: &UnixMicros, serializer: S) -> Result<S::Ok, S::Error> {
    let time = Timestamp::from_microsecond(*micros).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&time)
}
