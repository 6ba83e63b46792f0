//! `cargo xtask bench engine`: the night's run beside the bare scan of the month's readings, and beside what one would write by hand.
//!
//! Promises: all write the same rows (a score and a goal's forecast for every profile) for the same month; each starts with nothing
//! written. Stops at the night itself: what the roll-up costs when readings arrive is a line of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, Config, NoTls};
use uuid::Uuid;

use super::measure::{Line, Target, interleave, millis, percentile, report, timed};

const AS_OF: &str = "date '2026-10-31'";
/// Profiles, and whether their readings are there too: those of a million would be 40 GB.
const SIZES: [(i32, bool); 3] = [(10_000, true), (100_000, true), (1_000_000, false)];

/// Measures in `database` (migrations applied, nobody in it) and answers whether every target is met.
pub(crate) fn run(database: &Config, say: &dyn Fn(&str)) -> Result<bool> {
    let mut admin =
        database.clone().user("supabase_admin").password("postgres").connect(NoTls).context("connecting")?;
    admin.batch_execute(include_str!("engine_stage.sql")).context("building what is compared")?;
    admin.batch_execute("update cron.job set active = false").context("holding the background jobs")?;
    let mut lines = Vec::new();
    let mut first = None;
    for (size, with_readings) in SIZES {
        say(&format!("growing to {size} profiles"));
        admin.batch_execute(&format!("select bench_grow({size}, {AS_OF}, {with_readings})"))?;
        admin.batch_execute("vacuum analyze")?;
        admin.batch_execute("checkpoint")?;
        say(&format!("the night of {size} profiles"));
        let night = match size {
            100_000 => compared(&mut admin, &mut lines)?,
            _ => {
                let [night] = interleave(3, [&mut |_| nightly(&mut admin)])?;
                night
            }
        };
        let each = night / u32::try_from(size)?;
        let at_first = *first.get_or_insert(each);
        if size > SIZES[0].0 {
            lines.push(Line {
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
            lines.push(Line {
                what: "the night of 1,000,000 profiles".into(),
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
    lines.push(on_demand(&mut admin)?);
    Ok(report(&lines))
}

/// Ours, all of it: as often as there is more to do.
fn nightly(admin: &mut Client) -> Result<Duration> {
    reset(admin)?;
    timed(|| {
        loop {
            let done: serde_json::Value =
                admin.query_one(&format!("select public.run_performance_engine({AS_OF})"), &[])?.get(0);
            if done["left"] == false {
                return Ok(());
            }
        }
    })
}

fn reset(admin: &mut Client) -> Result<()> {
    admin.batch_execute(&format!("call bench_reset({AS_OF})"))?;
    for table in ["wt_engine_marks", "wt_recovery_scores", "wt_forecasts"] {
        admin.batch_execute(&format!("vacuum analyze public.{table}"))?;
    }
    Ok(admin.batch_execute("checkpoint")?)
}

fn compared(admin: &mut Client, lines: &mut Vec<Line>) -> Result<Duration> {
    const LOOPED: i32 = 10_000;
    let cell = std::cell::RefCell::new(admin);
    let scan = |workers: i32| {
        let mut admin = cell.borrow_mut();
        admin.batch_execute(&format!("set max_parallel_workers_per_gather = {workers}"))?;
        let took = timed(|| {
            Ok(admin.query_one(
                &format!(
                    "select count(value_num), sum(value_num) from bench_readings
                     where local_date between {AS_OF} - 30 and {AS_OF}"
                ),
                &[],
            )?)
        });
        admin.batch_execute("reset max_parallel_workers_per_gather")?;
        took
    };
    let [ours, scan_alone, scan_parallel, by_sql, by_loop] = interleave(
        3,
        [
            &mut |_| nightly(&mut cell.borrow_mut()),
            &mut |_| scan(0),
            &mut |_| scan(2),
            &mut |_| {
                let mut admin = cell.borrow_mut();
                reset(&mut admin)?;
                admin.batch_execute("set work_mem = '256MB'")?;
                let took = timed(|| Ok(admin.batch_execute(&format!("select bench_by_sql({AS_OF})"))?))?;
                admin.batch_execute("reset work_mem")?;
                Ok(took)
            },
            &mut |_| {
                let mut admin = cell.borrow_mut();
                reset(&mut admin)?;
                timed(|| {
                    Ok(admin.batch_execute(&format!(
                        "select bench_one_profile(user_id, profile_id, {AS_OF}) from bench_people where n <= {LOOPED}"
                    ))?)
                })
            },
        ],
    )?;
    let admin = cell.into_inner();
    agree(admin)?;
    let line = |what: &str, against: Duration, ratio: f64, unit, target| Line {
        what: what.into(),
        ours: millis(ours),
        against: millis(against),
        floor: millis(scan_parallel),
        ratio,
        unit,
        target,
    };
    let cost = |scan: Duration| ours.as_secs_f64() / scan.as_secs_f64();
    let gain = |other: Duration| other.as_secs_f64() / ours.as_secs_f64();
    let by_loop = by_loop * 100_000 / u32::try_from(LOOPED)?;
    lines.extend([
        line(
            "the night of 100,000 profiles, against the bare scan of their 12.4 million readings",
            scan_alone,
            cost(scan_alone),
            "x time",
            Target::AtMost(2.0),
        ),
        line(
            "  against the same scan with two parallel workers",
            scan_parallel,
            cost(scan_parallel),
            "x time",
            Target::None,
        ),
        line(
            "  against set-based SQL over the readings, parallel",
            by_sql,
            gain(by_sql),
            "x",
            Target::AtLeast(2.0),
        ),
        line(
            "  against a plpgsql function for each profile (10,000 of them, times ten)",
            by_loop,
            gain(by_loop),
            "x",
            Target::AtLeast(3.0),
        ),
    ]);
    Ok(ours)
}

/// What is compared says the same: scores to nine digits.
fn agree(admin: &mut Client) -> Result<()> {
    nightly(admin)?;
    admin.batch_execute(&format!("select bench_by_sql({AS_OF})"))?;
    let differing: i64 = admin
        .query_one(
            "select count(*) from public.wt_recovery_scores o full join bench_scores_sql s using (profile_id, score_date)
             where abs(o.recovery_score - s.recovery_score) < 1e-9 is not true",
            &[],
        )?
        .get(0);
    ensure!(differing == 0, "{differing} scores differ from those of the hand-written SQL");
    Ok(())
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
