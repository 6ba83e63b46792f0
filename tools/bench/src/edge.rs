//! `cargo xtask bench edge`: the host beside a warm Deno that does the same work, and the floor.
//!
//! Promises: both sides take turns on the same machine and the same table, whose commits are durable; whoever pushes is on the same
//! machine too and costs both the same. Stops at one machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, NoTls};
use sha2::{Digest as _, Sha256};
use welltrack_stack::Stack;
use welltrack_stack::cluster::Role;

use super::events;
use super::load::{Outcome, closed, post};
use super::measure::{Awake, Line, Target, interleave, millis, percentile, report, timed};
use super::pushes::Pushes;
use super::servers::{CLIENTS, HELLO, HELLO_PATH, Programs, SECRET, Server, WEBHOOK, webhook_path};

/// Measures against `stack` (migrations applied, nobody in it) and answers whether every target is met.
pub(crate) fn run(stack: &Stack, say: &dyn Fn(&str)) -> Result<bool> {
    let programs = Programs::ready(stack)?;
    let mut bench = Bench { stack, programs, pushes: Pushes::default() };
    let mut lines = Vec::new();
    say("pushes from 32 clients, stored durably: host, Deno and bare inserts in turn");
    lines.extend(bench.webhook()?);
    say("a fresh instance for each request, against a new Deno Worker");
    lines.extend(bench.fresh_instance()?);
    say("what a call costs");
    lines.push(bench.overhead()?);
    say("starts");
    lines.extend(bench.start()?);
    say("from pushed to readings");
    lines.extend(events::measure(&bench.programs, &bench.pushes, &mut bench.admin()?)?);
    say("a million requests");
    lines.extend(bench.memory()?);
    Ok(report(&lines))
}

struct Bench<'a> {
    stack: &'a Stack,
    programs: Programs,
    pushes: Pushes,
}

impl Bench<'_> {
    fn admin(&self) -> Result<Client> {
        Ok(Client::connect(&self.stack.url(Role::SupabaseAdmin), NoTls)?)
    }

    fn webhook(&mut self) -> Result<Vec<Line>> {
        const ROUNDS: usize = 7;
        const PUSHES: usize = 10_000;
        let host = self.programs.host(&[HELLO, WEBHOOK])?.wait(HELLO_PATH)?;
        let deno = self.programs.deno()?.wait("/hello")?;
        let contestants = [
            (&host, webhook_path()),
            (&deno, format!("/garmin-webhook/{SECRET}")),
            (&deno, format!("/bare/{SECRET}")),
        ];
        let run = |(server, path): &(&Server, String), count| {
            closed(server.port, CLIENTS, &self.pushes.many(path, count))
        };
        for contestant in &contestants {
            run(contestant, 2_000)?;
        }
        let mut rates: [Vec<f64>; 4] = Default::default();
        let mut p99s: [Vec<Duration>; 4] = Default::default();
        for round in 0..ROUNDS {
            for turn in 0..4 {
                let who = (turn + round) % 4;
                let mut outcome = match contestants.get(who) {
                    Some(contestant) => run(contestant, PUSHES)?,
                    None => self.bare_inserts(PUSHES)?,
                };
                rates[who].push(outcome.per_second());
                p99s[who].push(outcome.quantile(0.99));
            }
        }
        let stored: i64 =
            self.admin()?.query_one("select count(*) from public.wt_webhook_events", &[])?.get(0);
        let sent = self.pushes.sent();
        ensure!(stored == i64::try_from(sent)?, "{sent} pushes left {stored} events");
        let [ours, same, bare, floor] = rates.map(median);
        let [our_p99, same_p99, bare_p99, floor_p99] = p99s.map(|mut times| percentile(&mut times, 0.5));
        let line = |what: &str, against: f64, target| Line {
            what: what.into(),
            ours: format!("{ours:.0}/s"),
            against: format!("{against:.0}/s"),
            floor: format!("{floor:.0}/s"),
            ratio: ours / against,
            unit: "x",
            target,
        };
        let p99 = |what: &str, against: Duration, target| Line {
            what: what.into(),
            ours: millis(our_p99),
            against: millis(against),
            floor: millis(floor_p99),
            ratio: our_p99.as_secs_f64() / against.as_secs_f64(),
            unit: "x time",
            target,
        };
        Ok(vec![
            line(
                "pushes answered after a durable insert, 32 clients, against Deno",
                same,
                Target::AtLeast(1.0),
            ),
            p99("  p99", same_p99, Target::AtMost(1.0)),
            line("  against Deno doing a bare insert, nothing checked", bare, Target::None),
            p99("  p99", bare_p99, Target::None),
        ])
    }

    /// The floor: the same rows from as many connections, nothing in between.
    fn bare_inserts(&self, count: usize) -> Result<Outcome> {
        let rows: Vec<_> = (0..count)
            .map(|_| {
                let push = self.pushes.next();
                let key = Sha256::digest(push.as_bytes()).to_vec();
                Ok((serde_json::from_str::<serde_json::Value>(&push)?, key))
            })
            .collect::<Result<_>>()?;
        let mut connections = (0..CLIENTS).map(|_| self.admin()).collect::<Result<Vec<_>>>()?;
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        let latencies = thread::scope(|scope| {
            let running: Vec<_> = connections
                .iter_mut()
                .map(|connection| {
                    let (rows, next) = (&rows, &next);
                    scope.spawn(move || -> Result<Vec<Duration>> {
                        let insert = connection.prepare(
                            "insert into public.wt_webhook_events (source, event_type, provider_user_id, payload, idempotency_key)
                             values ('garmin', 'dailies', 'bench', $1, $2) on conflict (idempotency_key) do nothing",
                        )?;
                        let mut latencies = Vec::new();
                        while let Some((payload, key)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                            latencies.push(timed(|| Ok(connection.execute(&insert, &[payload, key])?))?);
                        }
                        Ok(latencies)
                    })
                })
                .collect();
            let mut all = Vec::new();
            for client in running {
                all.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
            }
            anyhow::Ok(all)
        })?;
        Ok(Outcome { took: start.elapsed(), latencies })
    }

    fn fresh_instance(&self) -> Result<[Line; 2]> {
        let host = self.programs.host(&[HELLO])?.wait(HELLO_PATH)?;
        let deno = self.programs.deno()?.wait("/hello")?;
        let body = r#"{"name":"Ada"}"#;
        let ask = |port: u16, path: &str, count: usize| -> Result<Duration> {
            let requests = vec![post(path, body); count];
            Ok(closed(port, 1, &requests)?.quantile(0.5))
        };
        let line = |what: &str, target: Target| -> Result<Line> {
            let [ours, worker, warm] = interleave(
                7,
                [
                    &mut |_| ask(host.port, HELLO_PATH, 2_000),
                    &mut |_| ask(deno.port, "/worker/hello", 50),
                    &mut |_| ask(deno.port, "/hello", 2_000),
                ],
            )?;
            Ok(Line {
                what: what.into(),
                ours: millis(ours),
                against: millis(worker),
                floor: millis(warm),
                ratio: worker.as_secs_f64() / ours.as_secs_f64(),
                unit: "x",
                target,
            })
        };
        let asleep = line("  the same where each request first wakes the cores", Target::None)?;
        let _awake = Awake::new()?;
        let what =
            "a fresh instance for each request, time to answer, against a new Deno Worker (floor: warm Deno)";
        Ok([line(what, Target::AtLeast(100.0))?, asleep])
    }

    fn overhead(&self) -> Result<Line> {
        const REQUESTS: usize = 30_000;
        let host = self.programs.host(&[HELLO])?.wait(HELLO_PATH)?;
        let hello = vec![post(HELLO_PATH, r#"{"name":"Ada"}"#); REQUESTS];
        let refusal = post("/functions/v1/nothing-of-that-name", r#"{"name":"Ada"}"#);
        let cpu = |run: &dyn Fn() -> Result<()>| -> Result<Duration> {
            let before = host.cpu()?;
            run()?;
            Ok((host.cpu()? - before) / u32::try_from(REQUESTS)?)
        };
        let [with, without] = interleave(
            5,
            [&mut |_| cpu(&|| closed(host.port, 4, &hello).map(drop)), &mut |_| {
                cpu(&|| {
                    thread::scope(|scope| {
                        let clients: Vec<_> = (0..4)
                            .map(|_| {
                                scope.spawn(|| -> Result<()> {
                                    let mut connection = super::load::Connection::open(host.port)?;
                                    for _ in 0..REQUESTS / 4 {
                                        connection.status_of(&refusal)?;
                                    }
                                    Ok(())
                                })
                            })
                            .collect();
                        clients.into_iter().try_for_each(|client| {
                            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?
                        })
                    })
                })
            }],
        )?;
        let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
        Ok(Line {
            what: "CPU of a call, against the host's own answer without wasm".into(),
            ours: micros(with),
            against: micros(without),
            floor: micros(without),
            ratio: (with.saturating_sub(without)).as_secs_f64() * 1e6,
            unit: " µs",
            target: Target::Aim(40.0),
        })
    }

    fn start(&self) -> Result<[Line; 2]> {
        let host = || self.programs.host(&[HELLO, WEBHOOK])?.wait(HELLO_PATH);
        let deno = || self.programs.deno()?.wait("/hello");
        host()?;
        deno()?;
        let [ours, theirs] = interleave(11, [&mut |_| timed_start(host), &mut |_| timed_start(deno)])?;
        let line = |what: &str, ratio, unit, target| Line {
            what: what.into(),
            ours: millis(ours),
            against: millis(theirs),
            floor: String::new(),
            ratio,
            unit,
            target,
        };
        Ok([
            line(
                "start to first answer, compiled cache warm",
                ours.as_secs_f64() * 1e3,
                " ms",
                Target::AtMost(50.0),
            ),
            line(
                "  against Deno's",
                ours.as_secs_f64() / theirs.as_secs_f64(),
                "x time",
                Target::AtMost(1.0),
            ),
        ])
    }

    fn memory(&self) -> Result<[Line; 2]> {
        const PORTION: usize = 100_000;
        let host = self.programs.host(&[HELLO])?.wait(HELLO_PATH)?;
        let requests = vec![post(HELLO_PATH, r#"{"name":"Ada"}"#); PORTION];
        let mut sizes = Vec::new();
        let mut rates = Vec::new();
        for _ in 0..10 {
            rates.push(closed(host.port, CLIENTS, &requests)?.per_second());
            sizes.push(host.memory()?);
        }
        let (early, late) = (sizes[0], *sizes.last().context("ten portions")?);
        let line = |what: String, ratio, unit, target| Line {
            what,
            ours: format!("{late:.1} MB"),
            against: format!("{early:.1} MB"),
            floor: String::new(),
            ratio,
            unit,
            target,
        };
        Ok([
            line(
                format!("memory after a million requests ({:.0}/s), against after 100,000", median(rates)),
                late,
                " MB",
                Target::AtMost(100.0),
            ),
            line("  growth".into(), late / early, "x", Target::AtMost(1.1)),
        ])
    }
}

fn timed_start(start: impl FnOnce() -> Result<Server>) -> Result<Duration> {
    let begun = Instant::now();
    let server = start()?;
    let took = begun.elapsed();
    drop(server);
    Ok(took)
}

fn median(mut sample: Vec<f64>) -> f64 {
    sample.sort_unstable_by(f64::total_cmp);
    sample[sample.len() / 2]
}
