//! `cargo xtask bench ingest`: the targets of flow 2, each beside what one would build instead and the floor.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::Config;

use super::measure::{Line, Target, interleave, millis, percentile, rate, report, speedup, timed};
use super::stage::{BATCH, Person, Stage, batch};

/// What the contestants of ingestion do: a ratio says little without it.
const SIDES: &str = "\
All take the same JSON as `authenticated` under row-level security, into the same columns, checks, key and five indexes:
  ours                   a reason for each bad record, units, hash, names that replace, local days, one source a day, audit
  hash and nothing else  SQL takes the batch apart, a plpgsql row trigger hashes; one bad record fails the batch
  hash and units         the same, units in a second trigger and an audit row a statement
  all our promises       SQL takes the batch apart; the triggers of the upsert door, and one for the hash, do the rest
  unconditional          our batch function, with an update for every re-sent record, changed or not
  hand-written upsert    SQL takes the batch apart, the extension's hash in the statement, audited
The floor is COPY, as superuser without row-level security, of rows that are already read and hashed.
";

const SIZES: [usize; 3] = [100_000, 1_000_000, 5_000_000];

/// Measures in `database` (migrations applied, nobody in it) and answers whether every target is met.
pub(crate) fn run(database: &Config, say: &dyn Fn(&str)) -> Result<bool> {
    let mut stage = Stage::set(database)?;
    let mut lines = Vec::new();
    say("hash: 1,000,000 rows");
    lines.push(hash(&mut stage)?);
    say("signup: 2,000 people");
    lines.push(signup(&mut stage)?);
    let mut first: Option<Duration> = None;
    for size in SIZES {
        say(&format!("growing to {size} rows"));
        // What one would write by hand is compared at the first size; COPY, the floor, grows along to the last.
        let by_hand = size == SIZES[0];
        let stand_ins = if by_hand {
            &["bench_copy", "bench_trigger", "bench_bare", "bench_upsert"][..]
        } else {
            &["bench_copy"]
        };
        stage.grow_to(size, stand_ins)?;
        say(&format!("ingest at {size} rows"));
        let per_batch = ingest(&mut stage, size, by_hand, &mut lines)?;
        if by_hand {
            say("re-sync of 95% unchanged records");
            lines.extend(resync(&mut stage)?);
        }
        let at_first = *first.get_or_insert(per_batch);
        if size > SIZES[0] {
            lines.push(Line {
                what: format!("ingest at {size} rows against {}", SIZES[0]),
                ours: millis(per_batch),
                against: millis(at_first),
                floor: String::new(),
                ratio: per_batch.as_secs_f64() / at_first.as_secs_f64(),
                unit: "x time",
                target: Target::AtMost(1.2),
            });
        }
    }
    say("reading 30 days under RLS");
    lines.push(read(&mut stage)?);
    let met = report(&lines);
    println!("{SIDES}");
    Ok(met)
}

fn hash(stage: &mut Stage) -> Result<Line> {
    stage.admin.batch_execute(
        "set max_parallel_workers_per_gather = 0;
         create unlogged table bench_hash as
         select gen_random_uuid() u, gen_random_uuid() p, 'garmin'::text s, 'sleep'::text m,
                '2025-01-01'::timestamptz + n * interval '61.000001 s' a, '2025-01-01'::timestamptz + n * interval '70 s' b
         from generate_series(1, 1000000) n",
    )?;
    stage.settle(&["bench_hash"])?;
    let cell = std::cell::RefCell::new(&mut stage.admin);
    let run = |expr: &str| {
        let sql = format!("select count({expr}) from bench_hash");
        timed(|| Ok(cell.borrow_mut().query_one(sql.as_str(), &[])?))
    };
    let inline = "sha256(convert_to(u::text || '|' || p::text || '|' || s || '|' || m
        || '|' || coalesce(to_char(a at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '')
        || '|' || coalesce(to_char(b at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), ''), 'UTF8'))";
    let same: bool = cell
        .borrow_mut()
        .query_one(
            &format!("select bool_and(welltrack.dedupe_hash(u, p, s, m, a, b) = {inline}) from bench_hash"),
            &[],
        )?
        .get(0);
    ensure!(same, "the extension and the SQL expression disagree about the hash");
    let [ours, sql, floor] = interleave(
        5,
        [&mut |_| run("welltrack.dedupe_hash(u, p, s, m, a, b)"), &mut |_| run(inline), &mut |_| run("b")],
    )?;
    Ok(Line {
        what: "dedupe_hash against the inline SQL expression, 1M rows".into(),
        ours: millis(ours),
        against: millis(sql),
        floor: millis(floor),
        ratio: speedup(sql, ours),
        unit: "x",
        target: Target::AtLeast(3.0),
    })
}

fn signup(stage: &mut Stage) -> Result<Line> {
    let insert = stage.admin.prepare(
        "insert into auth.users (id, aud, role, email, raw_user_meta_data)
         values (gen_random_uuid(), 'authenticated', 'authenticated', gen_random_uuid() || '@example.org',
                 '{\"full_name\": \"Ada Lovelace\", \"timezone\": \"Europe/London\"}')",
    )?;
    stage.admin.batch_execute("set role supabase_auth_admin")?;
    let mut times =
        (0..2000).map(|_| timed(|| Ok(stage.admin.execute(&insert, &[])?))).collect::<Result<Vec<_>>>()?;
    stage.admin.batch_execute("reset role; alter table auth.users disable trigger on_auth_user_created")?;
    let mut bare =
        (0..2000).map(|_| timed(|| Ok(stage.admin.execute(&insert, &[])?))).collect::<Result<Vec<_>>>()?;
    stage.admin.batch_execute("alter table auth.users enable trigger on_auth_user_created")?;
    let p99 = percentile(&mut times, 0.99);
    Ok(Line {
        what: format!("signup p99 (median {})", millis(percentile(&mut times, 0.5))),
        ours: millis(p99),
        against: String::new(),
        floor: millis(percentile(&mut bare, 0.99)),
        ratio: p99.as_secs_f64() * 1e3,
        unit: " ms",
        target: Target::AtMost(20.0),
    })
}

/// Ours, COPY of the same rows, and the hand-written trigger, in turn for each batch of new rows.
fn ingest(stage: &mut Stage, size: usize, compare: bool, lines: &mut Vec<Line>) -> Result<Duration> {
    const ROUNDS: usize = 80;
    let people = stage.people(ROUNDS)?;
    let batches: Vec<String> = people.iter().map(|p| batch(*p, 0, 0, 0)).collect();
    let mut times: [Vec<Duration>; 5] = Default::default();
    for (round, (person, batch)) in people.iter().zip(&batches).enumerate() {
        // COPY needs the rows that the batch makes, so ours comes before it; the others' turns move around.
        let by_hand = |stage: &mut Stage, times: &mut [Vec<Duration>; 5]| -> Result<()> {
            times[2].push(stage.by_hand("bench_trigger", *person, batch)?);
            times[3].push(stage.by_hand("bench_bare", *person, batch)?);
            times[4].push(stage.by_hand("bench_rows", *person, batch)?);
            Ok(())
        };
        if compare && round % 2 == 0 {
            by_hand(stage, &mut times)?;
        }
        times[0].push(stage.ingest(*person, batch)?);
        let rows = stage.rows_of(*person, BATCH)?;
        times[1].push(stage.copy(&rows)?);
        if compare && round % 2 == 1 {
            by_hand(stage, &mut times)?;
        }
    }
    let stored: i64 = stage
        .admin
        .query_one("select count(*) from public.wt_health_metrics where user_id = $1", &[&people[0].user_id])?
        .get(0);
    ensure!(stored == BATCH as i64, "a batch of {BATCH} new records stored {stored}");
    let [mut ours, mut copy, mut trigger, mut bare, mut rows] = times;
    let (ours, copy) = (percentile(&mut ours, 0.5), percentile(&mut copy, 0.5));
    lines.push(Line {
        what: format!("ingest of new rows at {size} rows, rows/s against COPY's"),
        ours: rate(BATCH, ours),
        against: rate(BATCH, copy),
        floor: rate(BATCH, copy),
        ratio: speedup(copy, ours),
        unit: "x",
        target: Target::AtLeast(0.6),
    });
    if !compare {
        return Ok(ours);
    }
    let (trigger, bare, rows) =
        (percentile(&mut trigger, 0.5), percentile(&mut bare, 0.5), percentile(&mut rows, 0.5));
    lines.push(Line {
        what: "  against a plpgsql row trigger for hash and units, audited".into(),
        ours: rate(BATCH, ours),
        against: rate(BATCH, trigger),
        floor: rate(BATCH, copy),
        ratio: speedup(trigger, ours),
        unit: "x",
        target: Target::AtLeast(1.3),
    });
    lines.push(Line {
        what: "  against a plpgsql row trigger for the hash and nothing else".into(),
        ours: rate(BATCH, ours),
        against: rate(BATCH, bare),
        floor: rate(BATCH, copy),
        ratio: speedup(bare, ours),
        unit: "x",
        target: Target::None,
    });
    lines.push(Line {
        what: "  against plpgsql row triggers that keep all our promises".into(),
        ours: rate(BATCH, ours),
        against: rate(BATCH, rows),
        floor: rate(BATCH, copy),
        ratio: speedup(rows, ours),
        unit: "x",
        target: Target::None,
    });
    Ok(ours)
}

fn resync(stage: &mut Stage) -> Result<[Line; 2]> {
    const ROUNDS: usize = 40;
    let people: Vec<Person> = stage.people(20)?;
    for person in &people {
        let original = batch(*person, 0, 0, 20);
        stage.ingest(*person, &original)?;
        stage.ingest_always(*person, &original)?;
        stage.by_hand("bench_upsert", *person, &original)?;
    }
    // A phone sends again what has been judged long ago.
    let tables = ["public.wt_health_metrics", "bench_always", "bench_upsert"];
    for table in tables {
        stage.admin.batch_execute(&format!(
            "update {table} set validation_status = 'validated', processing_status = 'processed'"
        ))?;
    }
    stage.settle(&tables)?;
    let written = "select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables where relname = $1";
    let flush = "select pg_stat_force_next_flush()";
    let counters = |stage: &mut Stage, table: &str| -> Result<(i64, i64, i64)> {
        stage.api.batch_execute(flush)?;
        stage.api.batch_execute("select 1")?;
        let row = stage.admin.query_one(written, &[&table])?;
        Ok((row.get(0), row.get(1), row.get(2)))
    };
    let (before, always_before) = (counters(stage, "wt_health_metrics")?, counters(stage, "bench_always")?);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..ROUNDS {
        let person = people[round % people.len()];
        let again = batch(person, 0, round + 1, 20);
        times[0].push(stage.ingest(person, &again)?);
        times[1].push(stage.ingest_always(person, &again)?);
        times[2].push(stage.by_hand("bench_upsert", person, &again)?);
    }
    let after = counters(stage, "wt_health_metrics")?;
    ensure!(
        after == (before.0, before.1 + (ROUNDS * BATCH / 20) as i64, before.2),
        "a re-sync wrote more than its changed rows: counters went from {before:?} to {after:?}"
    );
    let after_always = counters(stage, "bench_always")?;
    ensure!(
        after_always == (always_before.0, always_before.1 + (ROUNDS * BATCH) as i64, always_before.2),
        "the unconditional update left rows alone: counters went from {always_before:?} to {after_always:?}"
    );
    let [ours, always, upsert] = times.map(|mut t| percentile(&mut t, 0.5));
    let line = |what: &str, against: Duration, target: Target| Line {
        what: what.into(),
        ours: rate(BATCH, ours),
        against: rate(BATCH, against),
        floor: String::new(),
        ratio: speedup(against, ours),
        unit: "x",
        target,
    };
    Ok([
        line(
            "re-sync, 95% unchanged (they write nothing), against our ingestion with unconditional DO UPDATE",
            always,
            Target::AtLeast(5.0),
        ),
        line(
            "  against a hand-written upsert, audited, that keeps none of our other promises",
            upsert,
            Target::None,
        ),
    ])
}

fn read(stage: &mut Stage) -> Result<Line> {
    let row = stage.admin.query_one(
        "select user_id, profile_id from public.wt_health_metrics where validation_status = 'validated' limit 1",
        &[],
    )?;
    let person = Person { user_id: row.get(0), profile_id: row.get(1) };
    stage.ingest(person, r#"{"source":"manual","records":[]}"#).context("speaking for a person")?;
    let columns = "select metric_type, local_date, value_num, unit from public.wt_health_metrics \
                   where profile_id = $1 and local_date between '2025-02-01' and '2025-03-02'";
    let under_rls = stage.api.prepare(columns)?;
    let filtered = stage.admin.prepare(&format!("{columns} and user_id = $2"))?;
    let rows = stage.api.query(&under_rls, &[&person.profile_id])?.len();
    ensure!(rows == 300, "30 days of ten metrics are 300 rows, not {rows}");
    let (api, admin) = (&mut stage.api, &mut stage.admin);
    let [ours, bare] = interleave(
        3000,
        [&mut |_| timed(|| Ok(api.query(&under_rls, &[&person.profile_id])?)), &mut |_| {
            timed(|| Ok(admin.query(&filtered, &[&person.profile_id, &person.user_id])?))
        }],
    )?;
    Ok(Line {
        what: "30 days of one person under RLS, against the filter written out, 5M rows".into(),
        ours: millis(ours),
        against: millis(bare),
        floor: millis(bare),
        ratio: ours.as_secs_f64() / bare.as_secs_f64(),
        unit: "x time",
        target: Target::AtMost(1.1),
    })
}
