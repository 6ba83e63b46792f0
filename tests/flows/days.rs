//! What the engine's tests share: a person's days of readings, the jobs and the engine, and what stands in its tables.
//!
//! Promises: days come in through the batch door and become daily values by the jobs alone. Stops at moving data.

use crate::readings::{DAY, HOUR, MONDAY, Reading, ingest, iso, records};
use postgres::{Client, Error};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;
use welltrack_tests::{Person, TestDb};

/// The date `day` days after Monday, 2025-03-03.
pub(crate) fn date(day: i64) -> String {
    iso(MONDAY + day * DAY)[..10].to_owned()
}

/// One day's readings of a metric in its canonical unit: a night's sleep ends in the morning, all else lasts the day.
pub(crate) fn reading(metric: &'static str, day: i64, value: f64) -> Reading {
    let unit = match metric {
        "sleep" | "active_minutes" => "min",
        "stress" => "score",
        "hr" => "bpm",
        "weight" => "kg",
        "steps" => "count",
        other => panic!("these tests measure no {other}"),
    };
    let whole_day = Reading::daily("garmin", metric, unit, day, value);
    match metric {
        "sleep" => {
            let morning = MONDAY + day * DAY + 8 * HOUR;
            Reading { start: morning - 16 * HOUR, end: morning, ..whole_day }
        }
        _ => whole_day,
    }
}

/// Sleep of 7 h, stress 30, heart rate 60 and 58 in turn, half an hour of activity, on each of `days`.
pub(crate) fn plain_days(days: impl Iterator<Item = i64>) -> Vec<Reading> {
    days.flat_map(|day| {
        let hr = 60.0 - 2.0 * (day.rem_euclid(2) as f64);
        [("sleep", 420.0), ("stress", 30.0), ("hr", hr), ("active_minutes", 30.0)]
            .map(|(metric, value)| reading(metric, day, value))
    })
    .collect()
}

/// Sends readings as their person.
pub(crate) fn send(db: &TestDb, person: Person, readings: &[Reading]) {
    ingest(&mut db.api(person.caller()), person.profile_id, &records(readings)).expect("the batch is taken");
}

/// Sends readings as their person, and lets the jobs judge them and sum them up.
pub(crate) fn live(db: &TestDb, person: Person, readings: &[Reading]) {
    send(db, person, readings);
    db.run_jobs();
}

/// Runs the engine as whoever `client` is, as of `day`.
pub(crate) fn run(client: &mut Client, day: i64, user_id: Option<Uuid>) -> Result<Value, Error> {
    let sql = "select public.run_performance_engine($1::text::date, $2)";
    Ok(client.query_one(sql, &[&date(day), &user_id])?.get(0))
}

/// Runs the engine for everybody as the scheduler does, until nothing is left; answers how many scores and forecasts it
/// wrote.
pub(crate) fn night(db: &TestDb, day: i64) -> (u64, u64) {
    let mut owner = db.owner();
    let (mut scores, mut forecasts) = (0, 0);
    loop {
        let done = run(&mut owner, day, None).expect("the engine runs");
        scores += done["scores"].as_u64().expect("scores are counted");
        forecasts += done["forecasts"].as_u64().expect("forecasts are counted");
        if done["left"] == json!(false) {
            return (scores, forecasts);
        }
    }
}

/// The rows of `table` of one profile by `day_column`, without ids and clocks.
pub(crate) fn rows(db: &TestDb, table: &str, day_column: &str, profile_id: Uuid) -> BTreeMap<String, Value> {
    let sql = format!(
        "select t.{day_column}::text, to_jsonb(t) - '{{id,created_at,updated_at,calculated_at}}'::text[]
         from public.{table} t where t.profile_id = $1"
    );
    let rows = db.admin().query(&sql, &[&profile_id]).expect("the table can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// A profile's daily values by date.
pub(crate) fn values(db: &TestDb, person: Person) -> BTreeMap<String, Value> {
    rows(db, "wt_daily_values", "local_date", person.profile_id)
}

/// A profile's recovery scores by date.
pub(crate) fn scores(db: &TestDb, person: Person) -> BTreeMap<String, Value> {
    rows(db, "wt_recovery_scores", "score_date", person.profile_id)
}

/// Where each row of the engine's tables lies and which transaction wrote it, by table and date: the same again means no new
/// row version.
pub(crate) fn versions(db: &TestDb, person: Person) -> BTreeMap<String, String> {
    let sql = "
        select 'value ' || local_date, ctid::text || xmin from public.wt_daily_values where profile_id = $1
        union all
        select 'score ' || score_date, ctid::text || xmin from public.wt_recovery_scores where profile_id = $1
        union all
        select 'load ' || load_date || load_type || coalesce(workout_id::text, ''), ctid::text || xmin
        from public.wt_training_loads where profile_id = $1
        union all
        select 'forecast ' || metric_type, ctid::text || xmin from public.wt_forecasts where profile_id = $1";
    let rows = db.admin().query(sql, &[&person.profile_id]).expect("the tables can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The dates of those rows of `table` ("value", "score", "load", "forecast") that came, went or were written anew.
pub(crate) fn touched(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    table: &str,
) -> Vec<String> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .filter_map(|key| key.strip_prefix(table)?.strip_prefix(' ').map(str::to_owned))
        .collect()
}
