//! Three doors, one result: the batch function, an upsert through REST, COPY by the service.
//!
//! Promises: hash, canonical unit, local day, priority and status are the database's doing whichever door a reading
//! comes in by, clients can't talk it out of them, and what is already there costs no new row version. Stops at one
//! writer: two at once are in `ingest_races`.

use crate::priority::BY_PRIORITY;
use crate::readings::{
    DAY, HOUR, MONDAY, Reading, cases, copy, counts, ingest, iso, records, table, upsert, versions,
};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::slice::from_ref;
use welltrack_tests::catalogue::{Metric, metrics};
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

/// Units that the doors have to convert.
const OTHER_UNITS: [(&str, &str); 16] = [
    ("sleep", "h"),
    ("sleep", "s"),
    ("hr", "count/min"),
    ("hr", "count/s"),
    ("hrv", "s"),
    ("calories", "Cal"),
    ("calories", "cal"),
    ("calories", "kJ"),
    ("distance", "km"),
    ("distance", "mi"),
    ("distance", "ft"),
    ("active_minutes", "h"),
    ("weight", "lb"),
    ("weight", "st"),
    ("body_fat", "fraction"),
    ("spo2", "ratio"),
];

/// Every metric that is one number, with the unit in which it is stored and others.
fn units(db: &TestDb) -> Vec<(&'static str, &'static str)> {
    let metrics = metrics(&mut db.admin()).into_iter().filter(Metric::is_one_number);
    metrics.map(|metric| (metric.label, metric.unit)).chain(OTHER_UNITS).collect()
}

struct Doors {
    person: Person,
    phone: Client,
    service: Client,
    admin: Client,
}

impl Doors {
    /// Somebody in `zone`, and a connection for each door.
    fn of(db: &TestDb, zone: &str) -> Self {
        let person = db.sign_up(&format!("{}@example.com", zone.replace('/', "-")));
        let mut phone = db.api(person.caller());
        phone.execute("update public.wt_users set timezone = $1", &[&zone]).expect("people move");
        Doors { person, phone, service: db.api(Caller::Service), admin: db.admin() }
    }

    /// The person's table after it was empty and `readings` came in by each door in turn.
    fn each(&mut self, readings: &[Reading]) -> [Vec<Value>; 3] {
        let rows: Vec<_> = readings.iter().map(|reading| reading.row(self.person)).collect();
        [0, 1, 2].map(|door| {
            self.admin
                .execute("delete from public.wt_health_metrics where user_id = $1", &[&self.person.user_id])
                .expect("the stage can be cleared");
            match door {
                0 => {
                    let answer = ingest(&mut self.phone, self.person.profile_id, &records(readings));
                    let answer = answer.expect("the batch comes in");
                    assert_eq!(counts(&answer), [readings.len() as u64, 0, 0, 0, 0], "{answer}");
                }
                1 => upsert(&mut self.phone, &rows).expect("the upsert comes in"),
                _ => drop(copy(&mut self.service, &rows).expect("the copy comes in")),
            }
            // The app's version is part of a batch, not of a reading.
            table(&mut self.admin, self.person, &["ingestion_source_version"])
        })
    }
}

fn reading(units: Vec<(&'static str, &'static str)>) -> impl Strategy<Value = Reading> {
    (
        prop::sample::select(BY_PRIORITY.to_vec()),
        prop::sample::select(units),
        0.0..2.0_f64,
        // Around both changes of the clock, across midnights and leap days, back to the epoch.
        prop_oneof![0..4_000_000_000_i64, (MONDAY..MONDAY + 300 * DAY), Just(1_709_164_800)],
        prop_oneof![Just(0), 1..3 * DAY],
        prop::option::of("[a-z0-9/ ,\"'äß-]{1,12}"),
    )
        .prop_map(|(source, (metric, unit), value, start, length, name)| Reading {
            source,
            metric,
            value,
            unit,
            start,
            end: start + length,
            name,
        })
}

/// Readings that share neither period nor name.
fn readings(db: &TestDb) -> impl Strategy<Value = Vec<Reading>> + use<> {
    prop::collection::vec(reading(units(db)), 1..20).prop_map(|mut readings| {
        let mut seen = std::collections::HashSet::new();
        readings.retain(|reading| {
            seen.insert((reading.metric, format!("{} {}", reading.start, reading.end)))
                && reading.name.clone().is_none_or(|name| seen.insert((reading.metric, name)))
        });
        readings
    })
}

#[test]
fn the_same_readings_by_any_door_give_the_same_table() {
    let db = TestDb::new();
    for zone in ["UTC", "Pacific/Auckland", "America/Los_Angeles"] {
        let doors = RefCell::new(Doors::of(&db, zone));
        TestRunner::new(cases(40))
            .run(&readings(&db), |readings| {
                let doors = &mut *doors.borrow_mut();
                let [batch, upsert, copy] = doors.each(&readings);
                prop_assert_eq!(batch.len(), readings.len());
                prop_assert_eq!(&batch, &upsert, "batch and upsert");
                prop_assert_eq!(&batch, &copy, "batch and copy");

                // What the hash and the day should be, in Postgres's own words.
                let wrong = doors.admin.query(
                    r#"select to_jsonb(m) from public.wt_health_metrics m join public.wt_users u on u.id = m.user_id
                       where m.user_id = $1 and (
                         m.dedupe_hash <> sha256(convert_to(concat_ws('|', m.user_id, m.profile_id, m.source, m.metric_type,
                           to_char(m.start_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                           to_char(m.end_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), 'UTF8'))
                         or m.local_date <> ((case when m.metric_type = 'sleep' then m.end_time else m.start_time end)
                           at time zone u.timezone)::date)"#,
                    &[&doors.person.user_id],
                );
                let wrong: Vec<Value> = wrong.expect("readable").iter().map(|row| row.get(0)).collect();
                prop_assert!(wrong.is_empty(), "{:?}", wrong);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("in {zone}: {error}"));
    }
}

#[test]
fn values_arrive_in_canonical_units_by_any_door() {
    let db = TestDb::new();
    let mut doors = Doors::of(&db, "UTC");
    for (source, metric, unit, given, stored, canonical) in [
        ("garmin", "weight", "lb", 180.0, 81.646_626_6, "kg"),
        ("manual", "weight", "st", 11.0, 69.853_224_98, "kg"),
        ("healthkit", "distance", "mi", 3.0, 4_828.032, "m"),
        ("healthkit", "spo2", "%", 0.97, 97.0, "%"),
        ("healthkit", "body_fat", "%", 0.215, 21.5, "%"),
        ("health_connect", "spo2", "%", 97.0, 97.0, "%"),
        ("health_connect", "sleep", "h", 7.5, 450.0, "min"),
        ("healthkit", "calories", "kJ", 8_368.0, 2_000.0, "kcal"),
        ("healthkit", "hrv", "s", 0.045, 45.0, "ms"),
        ("garmin", "hr", "count/min", 52.0, 52.0, "bpm"),
    ] {
        let reading = Reading::daily(source, metric, unit, 0, given);
        for (door, table) in ["batch", "upsert", "copy"].iter().zip(doors.each(&[reading])) {
            let value = table[0]["value_num"].as_f64().expect("a number");
            assert!((value - stored).abs() < 1e-9, "{given} {unit} of {metric} became {value} by {door}");
            assert_eq!(table[0]["unit"], canonical);
        }
    }
}

#[test]
fn what_is_there_already_costs_no_row_version() {
    let db = TestDb::new();
    let mut doors = Doors::of(&db, "Europe/Athens");
    let Doors { person, phone, service, admin } = &mut doors;
    let readings: Vec<_> = (0..50)
        .map(|hour| {
            let reading =
                Reading::daily("healthkit", "weight", "lb", 0, 150.0 + hour as f64).hours(hour, hour + 1);
            if hour % 2 == 0 { reading.named(&format!("uuid-{hour}")) } else { reading }
        })
        .collect();
    let rows: Vec<_> = readings.iter().map(|reading| reading.row(*person)).collect();
    ingest(phone, person.profile_id, &records(&readings)).expect("the batch comes in");
    db.run_jobs();
    let before = (table(admin, *person, &[]), versions(admin, *person));

    let answer = ingest(phone, person.profile_id, &records(&readings)).expect("the batch comes in");
    assert_eq!(counts(&answer), [0, 0, 50, 0, 0]);
    upsert(phone, &rows).expect("the upsert comes in");
    upsert(service, &rows).expect("the upsert comes in");
    // COPY can't say what to do about a row that is there: all of it is refused.
    assert_eq!(sqlstate(copy(service, &rows)), "23505");
    assert_eq!((table(admin, *person, &[]), versions(admin, *person)), before);
}

#[test]
fn a_changed_value_makes_a_validated_reading_raw_again() {
    let db = TestDb::new();
    let mut doors = Doors::of(&db, "UTC");
    let Doors { person, phone, service, admin } = &mut doors;
    for (door, value) in ["batch", "upsert", "service upsert", "update"].iter().zip([1.0, 2.0, 3.0, 4.0]) {
        db.run_jobs();
        let reading = Reading::steps("garmin", 0, value);
        match *door {
            "batch" => drop(ingest(phone, person.profile_id, &records(&[reading])).expect("comes in")),
            "upsert" => upsert(phone, &[reading.row(*person)]).expect("comes in"),
            "service upsert" => upsert(service, &[reading.row(*person)]).expect("comes in"),
            _ => drop(
                phone.execute("update public.wt_health_metrics set value_num = $1", &[&value]).expect("own"),
            ),
        }
        let rows = table(admin, *person, &[]);
        assert_eq!(rows.len(), 1, "by {door}");
        assert_eq!(
            (&rows[0]["value_num"], &rows[0]["validation_status"]),
            (&json!(value as i64), &json!("raw")),
            "by {door}"
        );
    }
}

#[test]
fn a_record_that_has_a_name_replaces_itself_by_any_door() {
    let db = TestDb::new();
    let mut doors = Doors::of(&db, "UTC");
    let Doors { person, phone, service, admin } = &mut doors;
    // A day that grows until it is final, then turns out to have been another day.
    let periods = [(0, 6), (0, 12), (0, 24), (24, 48), (1, 24), (0, 30)];
    for (nth, (from, to)) in periods.into_iter().cycle().take(18).enumerate() {
        let reading = Reading::steps("garmin", 0, nth as f64).hours(from, to).named("summary-1");
        match nth % 3 {
            0 => drop(ingest(phone, person.profile_id, &records(from_ref(&reading))).expect("comes in")),
            1 => upsert(phone, &[reading.row(*person)]).expect("comes in"),
            _ => drop(copy(service, &[reading.row(*person)]).expect("comes in")),
        }
        let rows = table(admin, *person, &[]);
        assert_eq!(rows.len(), 1, "step {nth}: {rows:?}");
        assert_eq!(rows[0]["value_num"], nth);
        let start = MONDAY + from * HOUR;
        assert_eq!(rows[0]["local_date"], iso(start - start % DAY)[..10], "step {nth}");
    }
}

#[test]
fn clients_cannot_choose_what_the_database_decides() {
    let db = TestDb::new();
    let mut doors = Doors::of(&db, "UTC");
    let Doors { person, phone, service, admin } = &mut doors;
    upsert(phone, &[Reading::steps("garmin", 0, 5.0).row(*person)]).expect("comes in");
    let before = table(admin, *person, &[]);

    for (column, value) in [
        ("dedupe_hash", "'\\x00'"),
        ("is_primary", "false"),
        ("validation_status", "'validated'"),
        ("rejection_reason", "'because'"),
        ("processing_status", "'processed'"),
        ("created_at", "now()"),
        ("updated_at", "now()"),
    ] {
        let insert = format!(
            "insert into public.wt_health_metrics (profile_id, source, metric_type, value_num, unit, start_time, {column})
             select id, 'garmin', 'steps', 1, 'count', now(), {value} from public.wt_profiles"
        );
        // A generated column is nobody's to write; that is found out before rights are looked at.
        let refused = if column == "dedupe_hash" { "428C9" } else { "42501" };
        assert_eq!(sqlstate(phone.execute(&insert, &[])), refused, "insert of {column}");
        let update = format!("update public.wt_health_metrics set {column} = {value}");
        assert_eq!(sqlstate(phone.execute(&update, &[])), refused, "update of {column}");
    }
    // The service may name these columns, and is not heard either.
    let mut row = Reading::steps("manual", 1, 5.0).row(*person);
    row["id"] = json!("00000000-0000-4000-8000-000000000001");
    copy(service, &[row]).expect("comes in");
    let insert = "insert into public.wt_health_metrics
                    (user_id, profile_id, source, metric_type, value_num, unit, start_time, end_time, local_date,
                     validation_status, processing_status, is_primary)
                  select user_id, id, 'manual', 'steps', 1, 'count', '2025-03-05', '2025-03-05', '1999-01-01', 'validated', 'processed',
                         false from public.wt_profiles where id = $1";
    service.execute(insert, &[&person.profile_id]).expect("comes in");
    let third = admin
        .query_one(
            "select local_date::text, validation_status::text, is_primary from public.wt_health_metrics
             where start_time = '2025-03-05' and value_num = 1",
            &[],
        )
        .expect("one row");
    assert_eq!(
        (third.get::<_, &str>(0), third.get::<_, &str>(1), third.get::<_, bool>(2)),
        ("2025-03-05", "raw", true)
    );

    // The day follows from the times, whatever else changes beside it.
    for set in ["local_date = '1999-01-01'", "local_date = '1999-01-01', source_record_id = 'x'"] {
        phone
            .execute(
                &format!(
                    "update public.wt_health_metrics set {set} where value_num = 5 and source = 'garmin'"
                ),
                &[],
            )
            .expect("nothing forbids it");
        let days = "select count(*) from public.wt_health_metrics where local_date < '2000-01-01'";
        assert_eq!(phone.query_one(days, &[]).expect("readable").get::<_, i64>(0), 0, "{set}");
    }
    let kept = table(admin, *person, &["source_record_id"]);
    assert!(before.iter().all(|row| {
        let mut row = row.clone();
        row.as_object_mut().expect("a row").remove("source_record_id");
        kept.contains(&row)
    }));
}
