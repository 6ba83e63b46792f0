//! Calls of one function that share a transaction, and with it the settings, the round trip and the commit.
//!
//! Promises: calls share only with calls of the same function, role and claims; each is answered after the commit that holds
//! it, and one that fails fails alone: the shared transaction is rolled back and each of its calls is made again by itself.
//! Nobody waits for company: while one flight is on its way, those who come gather for the next. (With two on their way each
//! carried half as many, and the processor's time that a flight takes by itself was what the machine ran out of.) A flight that
//! nobody waits for any more is cancelled. Stops at which functions: sharing makes a call wait for the locks of others, and a caller
//! who goes may find the call made; who configures the host says where that is welcome.

use super::{
    Failure, Pool,
    catalogue::Plan,
    flight::{Call, Common, Flight, Statements},
    outcome::Answer,
};
use crate::{database::Connector, jwt::Role};
use deadpool::managed::Object;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;
use tokio_postgres::{Error, error::Severity};

/// Calls of one flight.
const CALLS: usize = 64;
/// Bytes of one flight. A body of that size flies alone: what is shared is nothing beside its own work.
const BYTES: usize = 1 << 20;

/// The calls that wait for a flight, by what they have in common.
#[derive(Default)]
pub(super) struct Together {
    functions: Vec<String>,
    /// A queue is here while one of its flights is on its way.
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
    caller: Caller,
}

/// Whoever waits for a call to land: with its answer, or with nothing if it has to be made alone.
type Caller = oneshot::Sender<Result<Option<Answer>, Failure>>;

/// Who goes with one flight: as many calls as callers, in the same order, and at least one.
struct Boarded {
    plan: Arc<Plan>,
    calls: Vec<Call>,
    callers: Vec<Caller>,
}

impl Together {
    pub(super) fn new(functions: Vec<String>) -> Self {
        Self { functions, queues: Mutex::default() }
    }

    /// Whether the call is one that shares.
    pub(super) fn takes(&self, common: &Common<'_>, call: &Call) -> bool {
        call.body.len() < BYTES && self.functions.iter().any(|name| name == common.function)
    }

    /// Queues a call; whether somebody has to begin to fly.
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

    /// The next to fly; nobody, if nobody waits.
    fn board(&self, key: &Key) -> Option<Boarded> {
        let mut queues = self.queues();
        let Entry::Occupied(mut entry) = queues.entry(key.clone()) else { return None };
        let queue = entry.get_mut();
        queue.retain(|waiting| !waiting.caller.is_closed());
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
        let (calls, callers) = queue.drain(..count).map(|waiting| (waiting.call, waiting.caller)).unzip();
        Some(Boarded { plan, calls, callers })
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Key, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the call with those of others; answers nothing if it has to be made alone.
pub(super) async fn make(
    pool: &Pool,
    plan: &Arc<Plan>,
    common: &Common<'_>,
    call: Call,
) -> Result<Option<Answer>, Failure> {
    let key =
        Key { function: common.function.to_owned(), role: common.role, claims: common.claims.to_owned() };
    let (caller, landing) = oneshot::channel();
    if pool.together.queue(&key, Waiting { call, plan: Arc::clone(plan), caller }) {
        // A task of its own: who begins it may go before the others.
        tokio::spawn(fly(Pilot { pool: pool.clone(), key, is_home: false }));
    }
    // Without a word, the pilot was lost.
    landing.await.unwrap_or(Err(Failure::Lost))
}

/// Whoever flies for a queue. One that is lost on the way (a panic, the end of the runtime) leaves nobody waiting, and the next
/// call begins anew.
struct Pilot {
    pool: Pool,
    key: Key,
    is_home: bool,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.is_home {
            self.pool.together.queues().remove(&self.key);
        }
    }
}

/// Flies until nobody waits.
async fn fly(mut pilot: Pilot) {
    loop {
        // The connection first: who comes meanwhile comes along.
        let connection = pilot.pool.connections.get().await;
        let Some(Boarded { plan, calls, mut callers }) = pilot.pool.together.board(&pilot.key) else {
            // The queue is gone already, and by now there may be another one.
            pilot.is_home = true;
            return;
        };
        let flown = match connection {
            Ok(connection) => tokio::select! {
                flown = take_off(connection, &plan, &pilot.key, &calls) => flown,
                () = all_gone(&mut callers) => continue,
            },
            // Why there is none, each call finds out and says for itself.
            Err(_) => Ok(None),
        };
        match flown {
            Ok(Some(answers)) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    let _ = caller.send(Ok(Some(answer)));
                }
            }
            Ok(None) => land(callers, || Ok(None)),
            Err(error) if callers.len() == 1 => {
                let _ = callers.remove(0).send(Err(Failure::Database(error)));
            }
            Err(error) if is_rolled_back(&error) => land(callers, || Ok(None)),
            Err(_) => land(callers, || Err(Failure::Lost)),
        }
    }
}

/// The answers; none if the flight never began.
async fn take_off(
    mut connection: Object<Connector>,
    plan: &Plan,
    key: &Key,
    calls: &[Call],
) -> Result<Option<Vec<Answer>>, Error> {
    let Ok(statements) = Statements::prepare(&mut connection, plan, key.role).await else { return Ok(None) };
    let common = Common { function: &key.function, role: key.role, claims: &key.claims };
    Flight::new(connection).run(plan, &statements, &common, calls).await.map(Some)
}

async fn all_gone(callers: &mut [Caller]) {
    for caller in callers {
        caller.closed().await;
    }
}

fn land(callers: Vec<Caller>, landing: impl Fn() -> Result<Option<Answer>, Failure>) {
    for caller in callers {
        let _ = caller.send(landing());
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
    use bytes::Bytes;
    use tokio::sync::oneshot::error::TryRecvError;

    #[tokio::test]
    async fn whoever_waits_for_a_pilot_that_is_lost_is_told_and_the_next_call_begins_anew() {
        let pool = Pool::connect("postgresql://nobody@127.0.0.1:1/nothing", 1).await.unwrap();
        let key = Key { function: "f".to_owned(), role: Role::Anon, claims: "{}".to_owned() };
        let call = || {
            let (caller, landing) = oneshot::channel();
            let plan = Arc::new(Plan { begin: "", call: Default::default(), settings: Default::default() });
            let call = Call { body: Bytes::new(), id: String::new() };
            (pool.together.queue(&key, Waiting { call, plan, caller }), landing)
        };
        let (begins, mut first) = call();
        let (joins, mut second) = call();
        assert_eq!((begins, joins), (true, false));
        drop(Pilot { pool: pool.clone(), key: key.clone(), is_home: false });
        assert!(
            [first.try_recv(), second.try_recv()]
                .iter()
                .all(|told| matches!(told, Err(TryRecvError::Closed)))
        );
        assert!(call().0);
    }
}
