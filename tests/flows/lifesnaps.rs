//! All people of the LifeSnaps data set (Yfantidou et al., Scientific Data 9, 663 (2022), CC BY 4.0), where it is there.
//!
//! Promises: every measured cell of real, gappy, odd lives becomes one row, a second sync writes nothing, and baselines
//! equal a computation that shares no code with the database. People live in different time zones, so that a day that
//! was cut in the wrong place would show. Stops at this data: `baselines` and `validation` make up what no one here did.

use crate::readings::{Reading, counts, ingest, records};
use postgres::Client;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use welltrack_tests::{Person, TestDb};

const ZONES: [&str; 4] = ["Europe/Athens", "UTC", "Pacific/Auckland", "America/Los_Angeles"];

/// One person's days: the date, and what its cells say by column.
pub(crate) type Days = Vec<(String, HashMap<String, f64>)>;

/// The values of one metric by date.
type Values = BTreeMap<String, f64>;

/// Somebody whose whole history has come in.
pub(crate) struct Resident<'a> {
    /// As the data set names them.
    pub(crate) name: &'a str,
    pub(crate) person: Person,
    days: &'a Days,
    records: Value,
    count: usize,
}

/// The data set beside the checkout, or in the folder that WELLTRACK_DATA names; says so where it is absent.
pub(crate) fn file() -> Option<PathBuf> {
    let folder = std::env::var_os("WELLTRACK_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let file = folder.join("lifesnaps/daily.csv");
    if !file.exists() {
        println!("skipped: {} is absent", file.display());
        return None;
    }
    Some(file)
}

/// Everybody's days by name.
pub(crate) fn people(file: &Path) -> BTreeMap<String, Days> {
    let mut reader = csv::Reader::from_path(file).expect("the data set can be read");
    let columns = reader.headers().expect("a header").clone();
    let mut people: BTreeMap<String, Days> = BTreeMap::new();
    for row in reader.records() {
        let row = row.expect("a row");
        let cells = columns.iter().zip(&row).skip(2).filter(|(_, cell)| !cell.is_empty());
        let cells = cells.map(|(column, cell)| (column.to_owned(), cell.parse().expect("a number")));
        people.entry(row[0].to_owned()).or_default().push((row[1].to_owned(), cells.collect()));
    }
    people
}

/// The metric of each column, with its unit, as the data set's description maps them.
const METRICS: [(&str, &str, &str); 10] = [
    ("resting_hr_bpm", "hr", "bpm"),
    ("minutes_asleep", "sleep", "min"),
    ("stress_management_score", "stress", "score"),
    ("hrv_rmssd_ms", "hrv", "ms"),
    ("spo2_pct", "spo2", "%"),
    ("vo2max_ml_kg_min", "vo2max", "mL/kg/min"),
    ("steps", "steps", "count"),
    ("distance_m", "distance", "m"),
    ("calories_kcal", "calories", "kcal"),
    ("moderately_active_minutes", "active_minutes", "min"),
];

fn value(column: &str, cells: &HashMap<String, f64>) -> Option<f64> {
    let cell = *cells.get(column)?;
    Some(match column {
        "stress_management_score" => 100.0 - cell,
        "moderately_active_minutes" => cell + cells["very_active_minutes"],
        _ => cell,
    })
}

/// What a phone in `zone` would send: a day's values from midnight to midnight, sleep until seven in the morning.
fn readings(admin: &mut Client, zone: &str, days: &Days) -> Vec<Reading> {
    let dates: Vec<&str> = days.iter().map(|(date, _)| date.as_str()).collect();
    let hours = "select extract(epoch from d::date::timestamp at time zone $2)::bigint,
                        extract(epoch from (d::date + 1)::timestamp at time zone $2)::bigint,
                        extract(epoch from (d::date + interval '7 hours') at time zone $2)::bigint
                 from unnest($1::text[]) with ordinality o (d, nth) order by nth";
    let hours = admin.query(hours, &[&dates, &zone]).expect("Postgres knows the zone");
    let mut readings = Vec::new();
    for ((_, cells), hours) in days.iter().zip(&hours) {
        for (column, metric, unit) in METRICS {
            let Some(value) = value(column, cells) else { continue };
            let (start, end) = if metric == "sleep" {
                let in_bed = (value + cells["minutes_awake"]) * 60.0;
                (hours.get::<_, i64>(2) - in_bed as i64, hours.get(2))
            } else {
                (hours.get(0), hours.get(1))
            };
            readings.push(Reading { source: "health_connect", metric, value, unit, start, end, name: None });
        }
    }
    readings
}

/// Signs everybody up, in one time zone after the other, and sends their histories as phones would.
pub(crate) fn move_in<'a>(db: &TestDb, people: &'a BTreeMap<String, Days>) -> Vec<Resident<'a>> {
    let mut admin = db.admin();
    let residents: Vec<Resident<'_>> = people
        .iter()
        .zip(ZONES.into_iter().cycle())
        .map(|((name, days), zone)| {
            let person = db.sign_up_with(&serde_json::json!({
                "email": format!("{name}@example.com"), "raw_user_meta_data": {"timezone": zone}
            }));
            let readings = readings(&mut admin, zone, days);
            let (records, count) = (records(&readings), readings.len());
            let answer = ingest(&mut db.api(person.caller()), person.profile_id, &records)
                .expect("the history comes in");
            assert_eq!(counts(&answer), [count as u64, 0, 0, 0, 0], "{name}: {}", answer["rejections"]);
            Resident { name, person, days, records, count }
        })
        .collect();
    assert_eq!(residents.len(), 55, "people");
    residents
}

/// The values that are plausible, as the data model's table says.
fn plausible(days: &Days, column: &str, metric: &str) -> Values {
    let range = match metric {
        "sleep" => 0.0..=960.0,
        "stress" => 0.0..=100.0,
        "vo2max" => 10.0..=90.0,
        "hr" => 30.0..=100.0,
        "hrv" => 10.0..=200.0,
        "spo2" => 70.0..=100.0,
        "calories" => 0.0..=10_000.0,
        "active_minutes" => 0.0..=1_440.0,
        _ => 0.0..=100_000.0,
    };
    days.iter()
        // A night without a minute in bed has no period.
        .filter(|(_, cells)| {
            metric != "sleep"
                || cells.get(column).copied().unwrap_or(0.0)
                    + cells.get("minutes_awake").copied().unwrap_or(0.0)
                    > 0.0
        })
        .filter_map(|(date, cells)| Some((date.clone(), value(column, cells)?)))
        .filter(|(_, value)| range.contains(value))
        .collect()
}

/// Mean, sample standard deviation, count, first and last day of the last 14 days that have a value.
fn baseline(values: &Values) -> Option<(f64, Option<f64>, i32, String, String)> {
    let last: Vec<(&String, &f64)> = values.iter().rev().take(14).collect();
    let (first_day, last_day) = (last.last()?.0.clone(), last.first()?.0.clone());
    let count = last.len() as f64;
    let mean = last.iter().map(|(_, value)| *value).sum::<f64>() / count;
    let squares: f64 = last.iter().map(|(_, value)| (*value - mean).powi(2)).sum();
    let spread = (last.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    Some((mean, spread, last.len() as i32, first_day, last_day))
}

/// How many row versions the table of readings has seen written, once everybody else has left: a session hands in its
/// statistics before it is gone.
fn writes(admin: &mut Client) -> i64 {
    let others = "select count(*) > 0 from pg_stat_activity
                  where backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()";
    while admin.query_one(others, &[]).expect("alive").get(0) {
        std::thread::yield_now();
    }
    admin
        .query_one(
            "select n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables where relname = 'wt_health_metrics'",
            &[],
        )
        .expect("statistics are kept")
        .get(0)
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * right.abs().max(1.0)
}

#[test]
fn all_lifesnaps_people_come_in_once_and_get_their_baselines() {
    let Some(file) = file() else { return };
    let people = people(&file);
    let db = TestDb::new();
    let mut admin = db.admin();
    let residents = move_in(&db, &people);
    let sent: usize = residents.iter().map(|resident| resident.count).sum();

    // Every cell that was measured is a row, and nothing else is.
    for (column, metric, _) in METRICS {
        let cells = people.values().flatten().filter(|(_, cells)| cells.contains_key(column)).count();
        let rows = "select count(*) from public.wt_health_metrics where metric_type::text = $1";
        assert_eq!(
            admin.query_one(rows, &[&metric]).expect("readable").get::<_, i64>(0),
            cells as i64,
            "{metric}"
        );
    }
    assert_eq!(writes(&mut admin), sent as i64);

    let done = db.run_jobs();
    assert_eq!(done["judged"], sent);
    for Resident { days, person, .. } in &residents {
        for (column, metric, _) in METRICS {
            let expected = baseline(&plausible(days, column, metric));
            let found = admin
                .query_opt(
                    "select baseline_value, baseline_stddev, data_points_count, capture_start::text, capture_end::text,
                            calibration_status::text
                     from public.wt_baselines where profile_id = $1 and metric_type::text = $2 and data_points_count > 0",
                    &[&person.profile_id, &metric],
                )
                .expect("readable");
            let Some(expected) = expected else {
                assert!(found.is_none(), "{metric} without a reading that counts");
                continue;
            };
            let found = found.unwrap_or_else(|| panic!("{metric} of {person:?} should be {expected:?}"));
            let status: &str = found.get(5);
            let found = (found.get(0), found.get(1), found.get(2), found.get(3), found.get(4));
            assert!(close(found.0, expected.0), "{metric}: mean {found:?}, expected {expected:?}");
            assert_eq!((found.2, &found.3, &found.4), (expected.2, &expected.3, &expected.4), "{metric}");
            assert_eq!(status == "complete", expected.2 == 14);
            match (found.1, expected.1) {
                (Some(found), Some(expected)) => {
                    assert!(close(found, expected), "{metric}: {found} {expected}")
                }
                (found, expected) => assert_eq!(found, expected, "{metric}"),
            }
        }
    }

    // A phone sends all of it again: no row version is written.
    let before = writes(&mut admin);
    for Resident { person, records, count, .. } in &residents {
        let mut api = db.api(person.caller());
        let answer = ingest(&mut api, person.profile_id, records).expect("the history comes in again");
        assert_eq!(counts(&answer), [0, 0, *count as u64, 0, 0]);
    }
    assert_eq!(writes(&mut admin), before);
}
