//! Calls of one function that share a transaction, and with it the settings, the round trip and the commit.
//!
//! Calls share only with calls of the same function, role and claims. Each is answered after the commit that holds it. One that
//! fails fails alone: the shared transaction is rolled back and each of its calls is made again by itself. A batch that nobody waits
//! for any more is cancelled. ARCHITECTURE.md, "Calls that come together share a commit", has the reasons.

use super::{
    catalogue::Plan,
    failure::Failure,
    response::Answer,
    transaction::{Call, Common, Statements, Transaction},
};
use crate::{
    database::{Connector, Pool},
    jwt::Role,
};
use deadpool::managed::Object;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;
use tokio_postgres::{Error, error::Severity};

/// Calls of one batch.
const CALLS: usize = 64;
/// Bytes of one batch. A body of that size goes alone: what is shared is nothing beside its own work.
const BYTES: usize = 1 << 20;

/// The calls that wait for a batch, by what they have in common.
#[derive(Default)]
pub(super) struct CommitBatches {
    functions: Vec<String>,
    /// A queue is here while one of its batches is under way.
    queues: Mutex<HashMap<Key, Queue>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    function: String,
    role: Role,
    claims: String,
}

type Queue = VecDeque<Waiting>;

struct Waiting {
    call: Call,
    plan: Arc<Plan>,
    waiter: Waiter,
}

/// Takes the answer of a call, or nothing if it has to be made alone.
type Waiter = oneshot::Sender<Result<Option<Answer>, Failure>>;

/// The calls of one transaction: as many calls as waiters, in the same order, and at least one.
struct Batch {
    plan: Arc<Plan>,
    calls: Vec<Call>,
    waiters: Vec<Waiter>,
}

impl CommitBatches {
    pub(super) fn new(functions: Vec<String>) -> Self {
        Self { functions, queues: Mutex::default() }
    }

    /// Whether the call is one that shares.
    pub(super) fn takes(&self, common: &Common<'_>, call: &Call) -> bool {
        call.body.len() < BYTES && self.functions.iter().any(|name| name == common.function)
    }

    /// Queues a call; whether a runner has to be started.
    fn queue(&self, key: &Key, waiting: Waiting) -> bool {
        match self.queues().entry(key.clone()) {
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back(waiting);
                false
            }
            Entry::Vacant(place) => {
                place.insert(Queue::from([waiting]));
                true
            }
        }
    }

    /// The next batch; none if nothing waits.
    fn next(&self, key: &Key) -> Option<Batch> {
        let mut queues = self.queues();
        let Entry::Occupied(mut entry) = queues.entry(key.clone()) else { return None };
        let queue = entry.get_mut();
        queue.retain(|waiting| !waiting.waiter.is_closed());
        let Some(first) = queue.front() else {
            entry.remove();
            return None;
        };
        let plan = Arc::clone(&first.plan);
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            bytes += waiting.call.body.len();
            // Since the catalogue was read anew, the role may have other settings.
            bytes <= BYTES && Arc::ptr_eq(&waiting.plan, &plan)
        };
        let count = queue.iter().take(CALLS).take_while(fits).count();
        let (calls, waiters) = queue.drain(..count).map(|waiting| (waiting.call, waiting.waiter)).unzip();
        Some(Batch { plan, calls, waiters })
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Key, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the call with those of others; answers nothing if it has to be made alone.
pub(super) async fn make(
    batches: &Arc<CommitBatches>,
    connections: &Pool,
    plan: &Arc<Plan>,
    common: &Common<'_>,
    call: Call,
) -> Result<Option<Answer>, Failure> {
    let key =
        Key { function: common.function.to_owned(), role: common.role, claims: common.claims.to_owned() };
    let (waiter, answer) = oneshot::channel();
    if batches.queue(&key, Waiting { call, plan: Arc::clone(plan), waiter }) {
        // A task of its own: the caller that starts it may go before the others.
        let runner = BatchRunner {
            batches: Arc::clone(batches),
            connections: connections.clone(),
            key,
            is_done: false,
        };
        tokio::spawn(runner.run());
    }
    // Without a word, the runner was lost.
    answer.await.unwrap_or(Err(Failure::Lost))
}

/// Works off a queue. If it is lost on the way (a panic, the end of the runtime), its callers are told and the next call starts
/// another one.
struct BatchRunner {
    batches: Arc<CommitBatches>,
    connections: Pool,
    key: Key,
    is_done: bool,
}

impl Drop for BatchRunner {
    fn drop(&mut self) {
        if !self.is_done {
            self.batches.queues().remove(&self.key);
        }
    }
}

impl BatchRunner {
    /// Runs batches until nothing waits.
    async fn run(mut self) {
        loop {
            // The connection first: calls that come meanwhile join the batch.
            let connection = self.connections.get().await;
            let Some(Batch { plan, calls, mut waiters }) = self.batches.next(&self.key) else {
                // The queue is gone already, and by now there may be another one.
                self.is_done = true;
                return;
            };
            let done = match connection {
                Ok(connection) => tokio::select! {
                    done = begin(connection, &plan, &self.key, &calls) => done,
                    () = all_gone(&mut waiters) => continue,
                },
                // Why there is none, each call finds out and says for itself.
                Err(_) => Ok(None),
            };
            match done {
                Ok(Some(answers)) => {
                    for (waiter, answer) in waiters.into_iter().zip(answers) {
                        let _ = waiter.send(Ok(Some(answer)));
                    }
                }
                Ok(None) => finish(waiters, || Ok(None)),
                Err(error) if waiters.len() == 1 => {
                    let _ = waiters.remove(0).send(Err(Failure::Database(error)));
                }
                Err(error) if is_rolled_back(&error) => finish(waiters, || Ok(None)),
                Err(_) => finish(waiters, || Err(Failure::Lost)),
            }
        }
    }
}

/// The answers; none if the transaction never began.
async fn begin(
    mut connection: Object<Connector>,
    plan: &Plan,
    key: &Key,
    calls: &[Call],
) -> Result<Option<Vec<Answer>>, Error> {
    let Ok(statements) = Statements::prepare(&mut connection, plan, key.role).await else { return Ok(None) };
    let common = Common { function: &key.function, role: key.role, claims: &key.claims };
    Transaction::new(connection).run(plan, &statements, &common, calls).await.map(Some)
}

async fn all_gone(waiters: &mut [Waiter]) {
    for waiter in waiters {
        waiter.closed().await;
    }
}

fn finish(waiters: Vec<Waiter>, answer: impl Fn() -> Result<Option<Answer>, Failure>) {
    for waiter in waiters {
        let _ = waiter.send(answer());
    }
}

/// Whether nothing of the transaction is left for certain. Anything worse than an error ends the connection, and whether the
/// commit was reached before, nobody can tell.
fn is_rolled_back(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database;
    use bytes::Bytes;
    use tokio::sync::oneshot::error::TryRecvError;

    #[tokio::test]
    async fn a_lost_runner_tells_its_callers_and_the_next_call_starts_another() {
        let connections = database::pool("postgresql://nobody@127.0.0.1:1/nothing", 1, "public").unwrap();
        let batches = Arc::<CommitBatches>::default();
        let key = Key { function: "f".to_owned(), role: Role::Anon, claims: "{}".to_owned() };
        let call = || {
            let (waiter, answer) = oneshot::channel();
            let plan = Arc::new(Plan { begin: "", call: Default::default(), settings: Default::default() });
            let call = Call { body: Bytes::new(), id: String::new() };
            (batches.queue(&key, Waiting { call, plan, waiter }), answer)
        };
        let (starts, mut first) = call();
        let (joins, mut second) = call();
        assert_eq!((starts, joins), (true, false));
        drop(BatchRunner { batches: Arc::clone(&batches), connections, key: key.clone(), is_done: false });
        assert!(
            [first.try_recv(), second.try_recv()]
                .iter()
                .all(|answer| matches!(answer, Err(TryRecvError::Closed)))
        );
        assert!(call().0);
    }
}
