//! The connection on which the database speaks first.
//!
//! It listens on every channel that a function names, again after every loss, and then tells all functions that there may be work,
//! because what was notified meanwhile is lost. It locks the ticks of schedules.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::sync::CancellationToken;
use welltrack_api::Address;

use super::triggered::Listeners;
use crate::error::Chain;
use crate::metrics::Tick;

/// Between two tries to connect: doubles from the first to the last.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How long a tick stays locked, so that a host whose clock is late finds it taken.
const LOCKED: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// The connection, or the next one.
#[derive(Clone)]
pub(super) struct Database(Arc<Inner>);

struct Inner {
    address: Address,
    listeners: Listeners,
    client: watch::Sender<Option<Arc<Client>>>,
    locked: Mutex<Vec<Lock>>,
}

impl Database {
    pub(super) fn new(address: Address, listeners: Listeners) -> Self {
        Self(Arc::new(Inner {
            address,
            listeners,
            client: watch::Sender::new(None),
            locked: Mutex::default(),
        }))
    }

    /// Keeps the connection until `stop`.
    pub(super) async fn keep(self, stop: CancellationToken) {
        let mut wait = WAITS.0;
        loop {
            let lived = tokio::time::Instant::now();
            let Some(ended) = stop.run_until_cancelled(self.listen()).await else { return };
            self.0.client.send_replace(None);
            self.locked().clear();
            if lived.elapsed() > WAITS.1 {
                wait = WAITS.0;
            }
            // With its causes, down to what is wrong with a certificate. What Postgres says of these statements holds no value
            // of a person's; a URL is in none.
            let error = ended.err().map(|error| Chain(&error).to_string()).unwrap_or_default();
            tracing::warn!(error, retry_in = ?wait, "the connection for notifications is lost");
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
            wait = (wait * 2).min(WAITS.1);
        }
    }

    /// Connects, and passes notifications on until the connection ends.
    async fn listen(&self) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = self.0.address.connect().await?;
        let client = Arc::new(client);
        let began = async {
            for (channel, _) in &self.0.listeners {
                client.batch_execute(&format!("listen {}", channel.0)).await?;
            }
            self.0.client.send_replace(Some(Arc::clone(&client)));
            tracing::info!("listening for notifications");
            for (_, triggered) in &self.0.listeners {
                triggered.notify(None);
            }
            // From now on only the connection has something to say.
            std::future::pending::<Result<(), tokio_postgres::Error>>().await
        };
        let passed_on = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message? {
                    for (_, triggered) in
                        self.0.listeners.iter().filter(|(channel, _)| channel.0 == notification.channel())
                    {
                        triggered.notify(Some(notification.payload().to_owned()));
                    }
                }
            }
            Ok(())
        };
        tokio::select! {
            ended = began => ended,
            ended = passed_on => ended,
        }
    }

    /// Whose that tick is: it belongs to the host that asks first.
    pub(super) async fn claim(&self, function: &str, tick: DateTime<Utc>) -> Tick {
        let Some(client) = self.0.client.borrow().clone() else {
            tracing::warn!(function, "a tick passes: the database is away");
            return Tick::Missed;
        };
        self.unlock_old(&client, tick).await;
        let lock = Lock { function: function.to_owned(), tick };
        match lock.ask(&client, "select pg_try_advisory_lock(hashtext('welltrack_edge.' || $1), $2)").await {
            Ok(true) => {
                self.locked().push(lock);
                Tick::Run
            }
            Ok(false) => Tick::Taken,
            Err(error) => {
                tracing::warn!(function, error = error.to_string(), "a tick can't be locked");
                Tick::Missed
            }
        }
    }

    async fn unlock_old(&self, client: &Client, now: DateTime<Utc>) {
        let old: Vec<_> = self.locked().extract_if(.., |lock| lock.tick + LOCKED < now).collect();
        for lock in old {
            // The lock goes with the connection, if not now.
            let _ =
                lock.ask(client, "select pg_advisory_unlock(hashtext('welltrack_edge.' || $1), $2)").await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Lock>> {
        self.0.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An advisory lock on a tick: it lives as long as the connection.
struct Lock {
    function: String,
    tick: DateTime<Utc>,
}

impl Lock {
    async fn ask(&self, client: &Client, statement: &str) -> Result<bool, tokio_postgres::Error> {
        // Minutes since 1970 fit for four thousand years.
        let minute = i32::try_from(self.tick.timestamp() / 60).unwrap_or_default();
        client.query_one(statement, &[&self.function, &minute]).await?.try_get(0)
    }
}
