//! The rules of the queue as a small model in memory, and random histories that must leave the table as the model says.
//!
//! Promises: whatever mix of pushes, consents, claims, settlements, crashes and waiting comes, every event has the model's
//! status and attempts after every step, no claim hands out what it must not or less than it could, and every event that
//! was processed has brought its reading exactly once. Stops at one connection: several at once are in `queue_races`.

use crate::events::*;
use crate::readings::cases;
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use welltrack_tests::{Caller, Person, TestDb};

const ACCOUNTS: usize = 3;
const WORKERS: [&str; 2] = ["w0", "w1"];
const OUTCOMES: [&str; 5] = ["processed", "retry", "wait", "dead", "release"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Connect(usize),
    Disconnect(usize),
    Claim(usize, u32),
    /// A worker settles what it was ever handed: its n-th event gets the n-th outcome, nothing where there is none.
    Settle(usize, Vec<usize>),
    /// A worker dies and its leases run out.
    Crash(usize),
    /// Hours pass: what waits for its time is due.
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Status {
    Due,
    Waiting,
    Parked,
    Held(usize),
    /// Held by one who may be dead.
    Lost(usize),
    Processed,
    Dead,
}

/// In the order in which they were received.
#[derive(Clone, Debug)]
struct Event {
    account: usize,
    status: Status,
    attempts: u32,
}

#[derive(Default)]
struct Model {
    events: Vec<Event>,
    connected: [bool; ACCOUNTS],
}

impl Model {
    fn busy(&self, account: usize) -> bool {
        self.events
            .iter()
            .any(|e| e.account == account && matches!(e.status, Status::Held(_) | Status::Lost(_)))
    }

    /// What a claim does before it hands anything out; gives the suspect that it must hand out alone.
    fn tidy(&mut self) -> Option<usize> {
        for event in &mut self.events {
            if matches!(event.status, Status::Lost(_)) {
                if event.attempts >= 5 {
                    event.status = Status::Dead;
                } else if !self.connected[event.account] {
                    event.status = Status::Parked;
                }
            }
        }
        self.events.iter().position(|event| {
            let at_work =
                self.events.iter().any(|o| o.account == event.account && matches!(o.status, Status::Held(_)));
            matches!(event.status, Status::Lost(_)) && !at_work
        })
    }

    /// Takes the events that a claim handed out, or says what is wrong with them.
    fn claim(&mut self, worker: usize, limit: usize, got: &[usize]) -> Result<(), TestCaseError> {
        let suspect = self.tidy();
        if let Some(suspect) = suspect {
            prop_assert_eq!(got, [suspect], "a suspect is handed out alone");
        } else {
            let due = |account: usize| -> Vec<usize> {
                if self.busy(account) || !self.connected[account] {
                    return Vec::new();
                }
                let mine =
                    |n: &usize| self.events[*n].account == account && self.events[*n].status == Status::Due;
                (0..self.events.len()).filter(mine).collect()
            };
            let mut available = 0;
            for account in 0..ACCOUNTS {
                let due = due(account);
                available += due.len();
                let mine: Vec<usize> =
                    got.iter().copied().filter(|n| self.events[*n].account == account).collect();
                prop_assert!(due.starts_with(&mine), "account {}: {:?} of {:?}", account, mine, due);
            }
            prop_assert_eq!(got.len(), available.min(limit));
        }
        for n in got {
            self.events[*n].status = Status::Held(worker);
            self.events[*n].attempts += 1;
        }
        Ok(())
    }

    /// Applies an outcome; gives which of processed, retried, waiting, dead, lost it counts as.
    fn settle(&mut self, worker: usize, n: usize, outcome: &str) -> usize {
        let event = &mut self.events[n];
        if ![Status::Held(worker), Status::Lost(worker)].contains(&event.status) {
            return 4;
        }
        match outcome {
            "processed" => event.status = Status::Processed,
            "dead" => event.status = Status::Dead,
            "retry" if event.attempts >= 5 => event.status = Status::Dead,
            "retry" => event.status = Status::Waiting,
            _ => {
                event.attempts -= 1;
                event.status = if outcome == "wait" { Status::Waiting } else { Status::Due };
            }
        }
        match event.status {
            Status::Processed => 0,
            Status::Dead => 3,
            _ if outcome == "retry" => 1,
            _ => 2,
        }
    }

    /// As the table would show it.
    fn rows(&self) -> Vec<(String, i32)> {
        self.events
            .iter()
            .map(|event| {
                let status = match event.status {
                    // A claim parks what it comes across; what it doesn't get to, nobody is handed either.
                    Status::Parked => "aside".to_owned(),
                    Status::Due if !self.connected[event.account] => "aside".to_owned(),
                    Status::Due => "due".to_owned(),
                    Status::Waiting => "waiting".to_owned(),
                    Status::Held(worker) => format!("held by {}", WORKERS[worker]),
                    Status::Lost(worker) => format!("lost by {}", WORKERS[worker]),
                    Status::Processed => "processed".to_owned(),
                    Status::Dead => "dead_letter".to_owned(),
                };
                (status, event.attempts.cast_signed())
            })
            .collect()
    }
}

fn rows(admin: &mut Client) -> Vec<(String, i32)> {
    let sql = "
        select case when status = 'pending' and (next_retry_at = 'infinity' or next_retry_at <= now() and not exists (
                      select from public.wt_health_connections c
                      where c.provider_user_id = e.provider_user_id and c.is_connected)) then 'aside'
                    when status = 'pending' and next_retry_at <= now() then 'due'
                    when status = 'pending' then 'waiting'
                    when status = 'processing' and locked_until < now() then 'lost by ' || locked_by
                    when status = 'processing' then 'held by ' || locked_by
                    else status::text end, attempts
        from public.wt_webhook_events e order by received_at";
    let rows = admin.query(sql, &[]).expect("readable");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let account = || 0..ACCOUNTS;
    let worker = || 0..WORKERS.len();
    // Mostly good, so that histories go on.
    let outcome = prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => Just(2), 1 => 3_usize..7];
    prop_oneof![
        5 => account().prop_map(Step::Push),
        2 => account().prop_map(Step::Connect),
        1 => account().prop_map(Step::Disconnect),
        6 => (worker(), 1_u32..5).prop_map(|(worker, limit)| Step::Claim(worker, limit)),
        4 => (worker(), prop::collection::vec(outcome, 1..6)).prop_map(|(worker, o)| Step::Settle(worker, o)),
        2 => worker().prop_map(Step::Crash),
        2 => Just(Step::Wait),
    ]
}

/// The database beside the model, and what each worker believes to hold.
struct World<'a> {
    service: &'a mut Client,
    admin: &'a mut Client,
    people: &'a [Person],
    model: Model,
    hands: [Vec<(usize, Value)>; 2],
}

impl World<'_> {
    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Push(account) => {
                let number = self.model.events.len() as u64;
                push_daily(self.service, &format!("g{account}"), number);
                self.model.events.push(Event { account: *account, status: Status::Due, attempts: 0 });
            }
            Step::Connect(account) => {
                connect(self.service, self.people[*account], "garmin", &format!("g{account}"));
                self.model.connected[*account] = true;
                for event in &mut self.model.events {
                    if event.account == *account && event.status == Status::Parked {
                        event.status = Status::Due;
                    }
                }
            }
            Step::Disconnect(account) => {
                let asked = json!({"provider": "garmin", "provider_user_id": format!("g{account}")});
                if let Ok(found) = call(self.service, "find_connection", &asked) {
                    let which = json!({"connection_id": found["connection"]["id"]});
                    call(self.service, "disconnect_provider", &which).expect("it ends");
                }
                self.model.connected[*account] = false;
            }
            Step::Claim(worker, limit) => {
                let events = claim(self.service, WORKERS[*worker], *limit);
                let got: Vec<usize> = events
                    .iter()
                    .map(|e| {
                        usize::try_from(e["payload"]["dailies"][0].as_u64().expect("a number"))
                            .expect("small")
                    })
                    .collect();
                self.model.claim(*worker, *limit as usize, &got)?;
                self.hands[*worker].extend(got.into_iter().zip(events));
            }
            Step::Settle(worker, outcomes) => {
                let hands = std::mem::take(&mut self.hands[*worker]);
                let mut expected = [0; 5];
                let mut results = Vec::new();
                let mut seen = BTreeSet::new();
                for (slot, (n, event)) in hands.into_iter().enumerate() {
                    let outcome = outcomes.get(slot).and_then(|o| OUTCOMES.get(*o));
                    match outcome {
                        Some(outcome) if seen.insert(n) => {
                            expected[self.model.settle(*worker, n, outcome)] += 1;
                            let minute = u32::try_from(n).expect("few") * 60;
                            let mut result =
                                says(&event, &[steps(&format!("r{n:03}"), minute, minute + 60, 1.0)]);
                            result["outcome"] = json!(outcome);
                            result["until"] = json!("2999-01-01T00:00:00Z");
                            results.push(result);
                        }
                        _ => self.hands[*worker].push((n, event)),
                    }
                }
                prop_assert_eq!(settle(self.service, WORKERS[*worker], &results), expected);
            }
            Step::Crash(worker) => {
                let sql = "update public.wt_webhook_events set locked_until = now() - interval '1 s' where locked_by = $1";
                self.admin.execute(sql, &[&WORKERS[*worker]]).expect("its leases end");
                for event in &mut self.model.events {
                    if event.status == Status::Held(*worker) {
                        event.status = Status::Lost(*worker);
                    }
                }
            }
            Step::Wait => {
                let_retries_be_due(self.admin);
                for event in &mut self.model.events {
                    if event.status == Status::Waiting {
                        event.status = Status::Due;
                    }
                }
            }
        }
        Ok(())
    }
}

#[test]
fn any_history_leaves_the_queue_as_the_model_says() {
    let db = TestDb::new();
    let people: Vec<Person> = (0..ACCOUNTS).map(|n| db.sign_up(&format!("p{n}@example.org"))).collect();
    let (service, admin) = (RefCell::new(db.api(Caller::Service)), RefCell::new(db.admin()));
    TestRunner::new(cases(150))
        .run(&prop::collection::vec(step(), 1..40), |history| {
            let (service, admin) = (&mut *service.borrow_mut(), &mut *admin.borrow_mut());
            admin
                .batch_execute(
                    "delete from public.wt_health_connections; delete from public.wt_webhook_events;
                     delete from public.wt_health_metrics",
                )
                .expect("the stage is cleared");
            let mut world =
                World { service, admin, people: &people, model: Model::default(), hands: [vec![], vec![]] };
            for step in &history {
                world.apply(step)?;
                prop_assert_eq!(rows(world.admin), world.model.rows(), "after {:?}", step);
            }
            let processed: Vec<String> = (0..world.model.events.len())
                .filter(|n| world.model.events[*n].status == Status::Processed)
                .map(|n| format!("r{n:03}"))
                .collect();
            let brought: Vec<String> = readings(world.admin).into_iter().map(|(name, ..)| name).collect();
            prop_assert_eq!(brought, processed);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
