//! `cargo xtask bench engine`: the night's run beside the bare scan of the month's readings, beside what one would write by hand, and
//! beside the least that its rows cost.
//!
//! Promises: all write the same rows (a score and a goal's forecast for every profile) for the same day, by as many sessions as the
//! schedule starts; each begins with the forecasts of the day before. What is compared has the keys that the schema asks for. Stops at
//! the night itself: what the roll-up costs when readings arrive is not in it.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use postgres::{Client, Config, NoTls};
use uuid::Uuid;

use super::measure::{Line, Target, interleave, millis, percentile, report, timed};

const AS_OF: &str = "date '2026-10-31'";
/// Profiles, whether their readings are there too (those of a million would be 40 GB), and how many nights are measured.
const SIZES: [(u32, bool, usize); 3] = [(10_000, true, 3), (100_000, true, 3), (1_000_000, false, 1)];
/// Engines side by side: what `wt_private.schedule_engines` starts unless told otherwise.
const SESSIONS: usize = 2;
/// A function per profile is measured on so many of a hundred thousand.
const LOOPED: u32 = 10_000;

/// What is measured with.
struct Bench<'a> {
    admin: Client,
    sessions: Vec<Client>,
    lines: Vec<Line>,
    say: &'a dyn Fn(&str),
}

/// Measures in `database` (migrations applied, nobody in it) and answers whether every target is met.
pub(crate) fn run(database: &Config, say: &dyn Fn(&str)) -> Result<bool> {
    let connect =
        || database.clone().user("supabase_admin").password("postgres").connect(NoTls).context("connecting");
    let sessions = (0..SESSIONS).map(|_| connect()).collect::<Result<_>>()?;
    let mut bench = Bench { admin: connect()?, sessions, lines: Vec::new(), say };
    bench.admin.batch_execute(include_str!("engine_stage.sql")).context("building what is compared")?;
    bench.admin.batch_execute("update cron.job set active = false").context("holding the background jobs")?;
    let mut first = None;
    for (size, with_readings, rounds) in SIZES {
        say(&format!("growing to {size} profiles"));
        bench.admin.batch_execute(&format!("select bench_grow({size}, {AS_OF}, {with_readings})"))?;
        bench.admin.batch_execute("vacuum analyze")?;
        bench.admin.batch_execute("checkpoint")?;
        say(&format!("the night of {size} profiles"));
        let night = if size == 100_000 {
            bench.compared(rounds)?
        } else {
            interleave(rounds, [&mut |_| bench.night()])?[0]
        };
        let each = night / size;
        let at_first = *first.get_or_insert(each);
        if size > SIZES[0].0 {
            bench.tell(Line {
                what: format!("time per profile at {size} profiles, against {}", SIZES[0].0),
                ours: micros(each),
                against: micros(at_first),
                floor: String::new(),
                ratio: each.as_secs_f64() / at_first.as_secs_f64(),
                unit: "x time",
                target: Target::AtMost(1.2),
            });
        }
        if size == 1_000_000 {
            bench.tell(Line {
                what: format!("the night of 1,000,000 profiles, {SESSIONS} sessions"),
                ours: millis(night),
                against: String::new(),
                floor: String::new(),
                ratio: night.as_secs_f64(),
                unit: " s",
                target: Target::AtMost(30.0),
            });
        }
    }
    say("one person on demand");
    let line = on_demand(&mut bench.admin)?;
    bench.tell(line);
    Ok(report(&bench.lines))
}

impl Bench<'_> {
    /// Says a line as soon as it is known, and keeps it for the table.
    fn tell(&mut self, line: Line) {
        (self.say)(&format!(
            "{}: {:.2}{} ({} {})",
            line.what.trim(),
            line.ratio,
            line.unit,
            line.ours,
            line.against
        ));
        self.lines.push(line);
    }

    /// The evening before, for whoever writes forecasts to this table.
    fn reset(&mut self, forecasts: &str) -> Result<()> {
        self.admin.batch_execute(&format!("call bench_reset({AS_OF}, '{forecasts}')"))?;
        for table in ["public.wt_engine_marks", "public.wt_recovery_scores", forecasts] {
            self.admin.batch_execute(&format!("vacuum analyze {table}"))?;
        }
        Ok(self.admin.batch_execute("checkpoint")?)
    }

    /// Times `work`, done by each session at the same time; it is told which one it is.
    fn side_by_side(
        &mut self,
        forecasts: &str,
        work: impl Fn(usize, &mut Client) -> Result<()> + Sync,
    ) -> Result<Duration> {
        self.reset(forecasts)?;
        timed(|| {
            thread::scope(|scope| {
                let work = &work;
                let sessions: Vec<_> = (0..)
                    .zip(&mut self.sessions)
                    .map(|(n, session)| scope.spawn(move || work(n, session)))
                    .collect();
                sessions
                    .into_iter()
                    .try_for_each(|session| session.join().map_err(|_| anyhow!("a session panicked"))?)
            })
        })
    }

    /// Ours, all of it: as often as there is more to do.
    fn night(&mut self) -> Result<Duration> {
        self.side_by_side("public.wt_forecasts", |_, session| {
            loop {
                let done: serde_json::Value =
                    session.query_one(&format!("select public.run_performance_engine({AS_OF})"), &[])?.get(0);
                if done["left"] == false {
                    return Ok(());
                }
            }
        })
    }

    /// The bare scan of the month's readings, by one process or by as many as the night has.
    fn scan(&mut self, processes: usize) -> Result<Duration> {
        let workers = processes - 1;
        self.admin.batch_execute(&format!("set max_parallel_workers_per_gather = {workers}"))?;
        let took = timed(|| {
            Ok(self.admin.query_one(
                &format!(
                    "select count(value_num), sum(value_num) from bench_readings
                     where local_date between {AS_OF} - 30 and {AS_OF}"
                ),
                &[],
            )?)
        });
        self.admin.batch_execute("reset max_parallel_workers_per_gather")?;
        took
    }

    /// Where the people of each session end, in the order of their profiles.
    fn shares(&mut self) -> Result<Vec<Uuid>> {
        let ends = format!(
            "select percentile_disc(s.n::double precision / {SESSIONS}) within group (order by profile_id)
             from bench_people, generate_series(1, {SESSIONS}) s (n) group by s.n order by s.n"
        );
        let ends = self.admin.query(&ends, &[])?;
        Ok(std::iter::once(Uuid::nil()).chain(ends.iter().map(|end| end.get(0))).collect())
    }

    /// A function of the bench, each session for its share of the people.
    fn shared(&mut self, function: &str, forecasts: &str) -> Result<Duration> {
        let bounds = self.shares()?;
        self.side_by_side(forecasts, |n, session| {
            let (low, high) = (bounds[n], bounds[n + 1]);
            session.batch_execute("set work_mem = '256MB'")?;
            session.batch_execute(&format!("select {function}({AS_OF}, '{low}', '{high}')"))?;
            Ok(session.batch_execute("reset work_mem")?)
        })
    }

    fn looped(&mut self) -> Result<Duration> {
        self.side_by_side("bench_forecasts_loop", |n, session| {
            Ok(session.batch_execute(&format!(
                "select bench_one_profile(user_id, profile_id, {AS_OF}) from bench_people
                 where n <= {LOOPED} and n % {SESSIONS} = {n}"
            ))?)
        })
    }

    fn compared(&mut self, rounds: usize) -> Result<Duration> {
        self.agree()?;
        let cell = std::cell::RefCell::new(self);
        let [ours, alone, beside, floor, by_sql, by_loop] = interleave(
            rounds,
            [
                &mut |_| cell.borrow_mut().night(),
                &mut |_| cell.borrow_mut().scan(1),
                &mut |_| cell.borrow_mut().scan(SESSIONS),
                &mut |_| cell.borrow_mut().shared("bench_floor", "bench_forecasts_floor"),
                &mut |_| cell.borrow_mut().shared("bench_by_sql", "bench_forecasts_sql"),
                &mut |_| cell.borrow_mut().looped(),
            ],
        )?;
        let bench = cell.into_inner();
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
        let by_loop = by_loop * (100_000 / LOOPED);
        let bare = "the bare scan of their 12.4 million readings by";
        for (what, against, ratio, unit, target) in [
            (
                format!(
                    "the night of 100,000 profiles, {SESSIONS} sessions, against {bare} {SESSIONS} processes"
                ),
                beside,
                ratio(ours, beside),
                "x time",
                Target::AtMost(2.0),
            ),
            (format!("  against {bare} one process"), alone, ratio(ours, alone), "x time", Target::None),
            (
                "  against the floor: reading the daily values, writing known rows".into(),
                floor,
                ratio(ours, floor),
                "x time",
                Target::None,
            ),
            (
                format!("  against set-based SQL over the readings, {SESSIONS} sessions"),
                by_sql,
                ratio(by_sql, ours),
                "x",
                Target::AtLeast(2.0),
            ),
            (
                format!(
                    "  against a plpgsql function for each profile, {SESSIONS} sessions ({LOOPED} of them, times ten)"
                ),
                by_loop,
                ratio(by_loop, ours),
                "x",
                Target::AtLeast(3.0),
            ),
        ] {
            let (ours, against, floor) = (millis(ours), millis(against), millis(floor));
            bench.tell(Line { what, ours, against, floor, ratio, unit, target });
        }
        Ok(ours)
    }

    /// What is compared says the same: scores to nine digits. Leaves what the night wrote for the floor to write again.
    fn agree(&mut self) -> Result<()> {
        self.shared("bench_by_sql", "bench_forecasts_sql")?;
        self.admin.batch_execute("create table bench_scores_theirs as select * from bench_scores_sql")?;
        self.night()?;
        let differing: i64 = self
            .admin
            .query_one(
                "select count(*) from public.wt_recovery_scores o
                 full join bench_scores_theirs s using (profile_id, score_date)
                 where abs(o.recovery_score - s.recovery_score) < 1e-9 is not true",
                &[],
            )?
            .get(0);
        ensure!(differing == 0, "{differing} scores differ from those of the hand-written SQL");
        self.admin.batch_execute(
            "insert into bench_scores_known select * from public.wt_recovery_scores order by id;
             insert into bench_forecasts_known select * from public.wt_forecasts order by profile_id",
        )?;
        Ok(self.admin.batch_execute("vacuum analyze bench_scores_known, bench_forecasts_known")?)
    }
}

/// A reading of one person changed, and they ask for their score, among everybody else's data.
fn on_demand(admin: &mut Client) -> Result<Line> {
    let people: Vec<Uuid> = admin
        .query("select user_id from bench_people order by md5(n::text) limit 1000", &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mark = admin.prepare(&format!(
        "update public.wt_engine_marks set score_from = {AS_OF}, score_to = {AS_OF} where user_id = $1"
    ))?;
    let spoil = admin.prepare(
        "update public.wt_recovery_scores set recovery_score = 1 where user_id = $1 and status = 'scored'",
    )?;
    let ask = admin.prepare(&format!("select public.run_performance_engine({AS_OF}, $1)"))?;
    admin.batch_execute("create index on public.wt_engine_marks (user_id); create index on public.wt_recovery_scores (user_id)")?;
    let mut times = Vec::with_capacity(people.len());
    for person in &people {
        admin.execute(&mark, &[person])?;
        admin.execute(&spoil, &[person])?;
        let mut answer = serde_json::Value::Null;
        times.push(timed(|| {
            answer = admin.query_one(&ask, &[person])?.get(0);
            Ok(())
        })?);
        ensure!(answer["scores"] == 1, "one day was to be scored: {answer}");
    }
    let p99 = percentile(&mut times, 0.99);
    Ok(Line {
        what: format!(
            "one person on demand among a million, p99 (median {})",
            millis(percentile(&mut times, 0.5))
        ),
        ours: millis(p99),
        against: String::new(),
        floor: String::new(),
        ratio: p99.as_secs_f64() * 1e3,
        unit: " ms",
        target: Target::AtMost(10.0),
    })
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}
