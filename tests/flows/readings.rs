//! Readings for the ingestion tests, the three doors they come in by, and what stands in the table afterwards.
//!
//! Promises: the upsert is the statement that PostgREST builds for `supabase.from(..).upsert(.., {onConflict:
//! 'user_id,dedupe_hash'})`, and what the doors are given is the same reading in each door's own words. Stops at
//! moving data: what ought to come out is each test's to say.

use jiff::Timestamp;
use postgres::{Client, Error};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use uuid::Uuid;
use welltrack_tests::Person;

/// A reading as somebody means it, before any door turned it into rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) source: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Seconds since the Unix epoch.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The provider's name for the record.
    pub(crate) name: Option<String>,
}

/// 2025-03-03T00:00:00Z, a Monday long enough ago that no reading of these tests lies in the future.
pub(crate) const MONDAY: i64 = 1_740_960_000;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// An instant as ISO 8601 in UTC.
pub(crate) fn iso(seconds: i64) -> String {
    Timestamp::from_second(seconds).expect("tests use plain years").to_string()
}

impl Reading {
    /// A whole day's value, `day` days after [`MONDAY`].
    pub(crate) fn daily(
        source: &'static str,
        metric: &'static str,
        unit: &'static str,
        day: i64,
        value: f64,
    ) -> Self {
        let start = MONDAY + day * DAY;
        Reading { source, metric, value, unit, start, end: start + DAY, name: None }
    }

    pub(crate) fn steps(source: &'static str, day: i64, value: f64) -> Self {
        Self::daily(source, "steps", "count", day, value)
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The period from `from` to `to`, in hours after the day's start.
    pub(crate) fn hours(mut self, from: i64, to: i64) -> Self {
        let midnight = self.start - self.start.rem_euclid(DAY);
        (self.start, self.end) = (midnight + from * HOUR, midnight + to * HOUR);
        self
    }

    /// The record that the app's plugin would send.
    pub(crate) fn record(&self) -> Value {
        let mut record = json!({
            "source": self.source, "type": self.metric, "value": self.value, "unit": self.unit,
            "start_time": iso(self.start), "end_time": iso(self.end),
        });
        if let Some(name) = &self.name {
            record["id"] = json!(name);
        }
        record
    }

    /// What a number can't say: which of the two variabilities a phone measured.
    fn text(&self) -> Option<&'static str> {
        (self.metric == "hrv").then_some(if self.source == "healthkit" { "sdnn" } else { "rmssd" })
    }

    /// The row that a client would upsert or copy: its own unit, and no word about hash, day or status.
    pub(crate) fn row(&self, person: Person) -> Value {
        json!({
            "user_id": person.user_id, "profile_id": person.profile_id, "source": self.source,
            "metric_type": self.metric, "value_num": self.value, "value_text": self.text(), "unit": self.unit,
            "start_time": iso(self.start), "end_time": iso(self.end), "source_record_id": self.name,
            "raw_payload_json": self.record(),
        })
    }
}

/// The records of `readings`, as the batch function takes them.
pub(crate) fn records(readings: &[Reading]) -> Value {
    readings.iter().map(Reading::record).collect()
}

/// The batch door, given what a client would send as its body.
pub(crate) fn ingest(client: &mut Client, profile_id: Uuid, records: &Value) -> Result<Value, Error> {
    let row = client.query_one("select public.ingest_health_metrics($1, $2)", &[&profile_id, records])?;
    Ok(row.get(0))
}

/// The batch door for a body that need not be JSON.
pub(crate) fn ingest_text(client: &mut Client, profile_id: Uuid, body: &str) -> Result<Value, Error> {
    let row = client
        .query_one("select public.ingest_health_metrics($1, $2::text::jsonb)", &[&profile_id, &body])?;
    Ok(row.get(0))
}

/// The five counts of the batch function's answer: inserted, updated, unchanged, merged, rejected.
pub(crate) fn counts(answer: &Value) -> [u64; 5] {
    ["inserted", "updated", "unchanged", "merged", "rejected"]
        .map(|key| answer[key].as_u64().unwrap_or_else(|| panic!("{answer} counts {key}")))
}

/// What clients may write, with the types that PostgREST reads from the catalogue.
const COLUMNS: [(&str, &str); 13] = [
    ("id", "uuid"),
    ("user_id", "uuid"),
    ("profile_id", "uuid"),
    ("source", "wt_metric_source"),
    ("metric_type", "wt_metric_type"),
    ("value_num", "double precision"),
    ("value_text", "text"),
    ("unit", "text"),
    ("start_time", "timestamptz"),
    ("end_time", "timestamptz"),
    ("recorded_at", "timestamptz"),
    ("raw_payload_json", "jsonb"),
    ("source_record_id", "text"),
];

/// The REST door: one statement, with the columns that any row names, as supabase-js lists them.
pub(crate) fn upsert(client: &mut Client, rows: &[Value]) -> Result<(), Error> {
    let used: Vec<_> =
        COLUMNS.iter().filter(|(name, _)| rows.iter().any(|row| row.get(name).is_some())).collect();
    let list = |each: &dyn Fn(&str, &str) -> String| {
        used.iter().map(|(name, kind)| each(name, kind)).collect::<Vec<_>>().join(", ")
    };
    let statement = format!(
        r#"WITH pgrst_source AS (
             INSERT INTO "public"."wt_health_metrics"({columns})
             SELECT {body} FROM (SELECT $1::json AS json_data) pgrst_payload,
               LATERAL (SELECT {columns} FROM json_to_recordset(pgrst_payload.json_data) AS _({typed})) pgrst_body
             ON CONFLICT("user_id", "dedupe_hash") DO UPDATE SET {sets}
             RETURNING 1)
           SELECT pg_catalog.count(_postgrest_t) FROM (SELECT * FROM pgrst_source) _postgrest_t"#,
        columns = list(&|name, _| format!("\"{name}\"")),
        body = list(&|name, _| format!("\"pgrst_body\".\"{name}\"")),
        typed = list(&|name, kind| format!("\"{name}\" {kind}")),
        sets = list(&|name, _| format!("\"{name}\" = EXCLUDED.\"{name}\"")),
    );
    client.query_one(&statement, &[&Value::from(rows)]).map(drop)
}

/// The bulk door: `COPY ... FROM STDIN`.
pub(crate) fn copy(client: &mut Client, rows: &[Value]) -> Result<u64, Error> {
    let used: Vec<_> =
        COLUMNS.iter().map(|(name, _)| *name).filter(|name| rows[0].get(name).is_some()).collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        let cells = used.iter().map(|name| match &row[*name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        csv.write_record(cells).expect("rows are as long as their header");
    }
    let statement = format!("copy public.wt_health_metrics ({}) from stdin (format csv)", used.join(", "));
    let mut writer = client.copy_in(&statement)?;
    writer.write_all(&csv.into_inner().expect("memory takes all")).expect("the server reads on");
    writer.finish()
}

/// A person's readings as the table holds them, but for ids, clocks and what is named in `without`; sorted.
pub(crate) fn table(admin: &mut Client, person: Person, without: &[&str]) -> Vec<Value> {
    let rows = admin
        .query("select to_jsonb(m) from public.wt_health_metrics m where m.user_id = $1", &[&person.user_id])
        .expect("the table can be read");
    let mut rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut row: Map<String, Value> =
                row.get::<_, Value>(0).as_object().expect("a row is an object").clone();
            for column in ["id", "created_at", "updated_at", "recorded_at"].iter().chain(without) {
                row.remove(*column);
            }
            Value::Object(row)
        })
        .collect();
    rows.sort_by_cached_key(Value::to_string);
    rows
}

/// Where each of a person's rows lies and which transaction wrote it: the same again means no new row version.
pub(crate) fn versions(admin: &mut Client, person: Person) -> BTreeMap<Uuid, String> {
    admin
        .query(
            "select id, ctid::text || ' by ' || xmin::text from public.wt_health_metrics where user_id = $1",
            &[&person.user_id],
        )
        .expect("the table can be read")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// A deterministic run of `cases`: the seed is a constant, or PROPTEST_RNG_SEED where that is set.
pub(crate) fn cases(cases: u32) -> Config {
    let mut config = Config { cases, failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_250_303);
    }
    println!("property test with {:?}", config.rng_seed);
    config
}
