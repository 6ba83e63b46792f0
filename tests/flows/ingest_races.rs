//! Two at once: clients, doors and background jobs that touch the same person's readings at the same time.
//!
//! Promises: whoever waits for whom, nothing is stored twice, nothing is lost, nobody is the victim of a deadlock, and
//! afterwards priority and baselines are what one after the other would have left. The races with a known order are
//! forced by open transactions; the others run many rounds. Stops at crashes: `ingest_faults`.

use crate::readings::{Reading, copy, counts, ingest, records, table, upsert};
use postgres::Client;
use std::sync::Barrier;
use std::thread;
use welltrack_tests::{Caller, Person, TestDb};

/// Runs `second` in a thread until it has finished or waits for a lock, then `release`s what it may wait for.
pub(crate) fn overlap<T: Send>(
    db: &TestDb,
    mut client: Client,
    second: impl FnOnce(&mut Client) -> T + Send,
    release: impl FnOnce(),
) -> T {
    let pid: i32 = client.query_one("select pg_backend_pid()", &[]).expect("alive").get(0);
    let mut admin = db.admin();
    thread::scope(|scope| {
        let running = scope.spawn(move || second(&mut client));
        let waits = "select count(*) > 0 from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
        while !running.is_finished() && !admin.query_one(waits, &[&pid]).expect("alive").get::<_, bool>(0) {
            thread::yield_now();
        }
        release();
        running.join().expect("the second client gets through")
    })
}

/// Each row's source, and whether it counts.
fn priorities(db: &TestDb, person: Person) -> Vec<(String, bool)> {
    db.admin()
        .query(
            "select source::text, is_primary from public.wt_health_metrics where user_id = $1 order by 1",
            &[&person.user_id],
        )
        .expect("the table can be read")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// A way to bring one reading in.
type Door = fn(&mut Client, Person, &Reading) -> Result<(), postgres::Error>;

const DOORS: [(&str, bool, Door); 4] = [
    ("batch", false, |client, person, reading| {
        ingest(client, person.profile_id, &records(std::slice::from_ref(reading))).map(drop)
    }),
    ("upsert", false, |client, person, reading| upsert(client, &[reading.row(person)])),
    ("service upsert", true, |client, person, reading| upsert(client, &[reading.row(person)])),
    ("copy", true, |client, person, reading| copy(client, &[reading.row(person)]).map(drop)),
];

fn client(db: &TestDb, person: Person, service: bool) -> Client {
    db.api(if service { Caller::Service } else { person.caller() })
}

#[test]
fn two_sources_arriving_at_once_by_any_two_doors_leave_one_that_counts() {
    let db = TestDb::new();
    for (first_name, first_service, first) in DOORS {
        for (second_name, second_service, second) in DOORS {
            let person = db.sign_up(&format!("{first_name}-{second_name}@example.com").replace(' ', "-"));
            let (phone, watch) = (Reading::steps("manual", 0, 100.0), Reading::steps("garmin", 0, 90.0));
            let mut open = client(&db, person, first_service);
            open.batch_execute("begin").expect("alive");
            first(&mut open, person, &phone).expect("the first reading comes in");
            overlap(
                &db,
                client(&db, person, second_service),
                |other| second(other, person, &watch).expect("the second reading comes in"),
                || open.batch_execute("commit").expect("the first client is not the victim"),
            );
            assert_eq!(
                priorities(&db, person),
                [("garmin".to_owned(), true), ("manual".to_owned(), false)],
                "{first_name} beside {second_name}"
            );
        }
    }
}

#[test]
fn a_reading_that_arrives_while_a_better_one_is_being_rejected_counts() {
    let db = TestDb::new();
    for (name, service, door) in DOORS {
        let person = db.sign_up(&format!("{name}@example.com").replace(' ', "-"));
        ingest(
            &mut db.api(person.caller()),
            person.profile_id,
            &records(&[Reading::steps("garmin", 0, 200_000.0)]),
        )
        .expect("an implausible reading is stored");
        let mut jobs = db.owner();
        jobs.batch_execute("begin; select public.validate_pending_metrics()").expect("the job runs");
        overlap(
            &db,
            client(&db, person, service),
            |other| door(other, person, &Reading::steps("manual", 0, 100.0)).expect("the reading comes in"),
            || jobs.batch_execute("commit").expect("the job is not the victim"),
        );
        db.run_jobs();
        assert_eq!(
            priorities(&db, person),
            [("garmin".to_owned(), false), ("manual".to_owned(), true)],
            "by {name}"
        );
    }
}

#[test]
fn a_reading_deleted_while_its_baseline_is_computed_does_not_stay_in_it() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut api = db.api(person.caller());
    let week: Vec<_> = (0..7).map(|day| Reading::steps("garmin", day, 1_000.0 * (day + 1) as f64)).collect();
    ingest(&mut api, person.profile_id, &records(&week)).expect("a week comes in");
    db.owner().execute("select public.validate_pending_metrics()", &[]).expect("the job runs");

    // The baseline is stale and not yet computed when the deletion begins.
    api.batch_execute("begin; delete from public.wt_health_metrics where value_num = 7000").expect("own row");
    overlap(
        &db,
        db.owner(),
        |jobs| jobs.execute("select public.refresh_baselines()", &[]).expect("the job runs"),
        || api.batch_execute("commit").expect("the client is not the victim"),
    );
    db.run_jobs();
    let row = db
        .admin()
        .query_one("select baseline_value, data_points_count from public.wt_baselines", &[])
        .expect("one baseline");
    assert_eq!((row.get::<_, f64>(0), row.get::<_, i32>(1)), (3_500.0, 6));
}

#[test]
fn two_clients_sending_the_same_batch_at_once_keep_one_copy_of_each() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    const RECORDS: usize = 60;
    for round in 0..25 {
        let batch: Vec<_> = (0..RECORDS as i64)
            .map(|hour| {
                let reading = Reading::steps("healthkit", round * 3, hour as f64).hours(hour, hour + 1);
                // Some have names, and every other round these come with a longer period than the last time.
                if hour % 3 == 0 { reading.named(&format!("{}-{hour}", round / 2)) } else { reading }
            })
            .collect();
        let before = table(&mut db.admin(), person, &[]).len();
        let start = Barrier::new(2);
        let answers: Vec<[u64; 5]> = thread::scope(|scope| {
            let clients: Vec<_> = [false, true]
                .into_iter()
                .map(|reversed| {
                    let (mut batch, mut api, start) = (batch.clone(), db.api(person.caller()), &start);
                    scope.spawn(move || {
                        if reversed {
                            batch.reverse();
                        }
                        start.wait();
                        counts(
                            &ingest(&mut api, person.profile_id, &records(&batch)).expect("a batch comes in"),
                        )
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().expect("no panic")).collect()
        });
        let added = table(&mut db.admin(), person, &[]).len() - before;
        assert_eq!(answers[0][0] + answers[1][0], added as u64, "round {round}: {answers:?}");
        assert_eq!(
            answers[0][2] + answers[1][2],
            RECORDS as u64,
            "round {round}: one of them changes nothing"
        );
    }
}

#[test]
fn batches_upserts_corrections_and_jobs_at_once_never_deadlock() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    // Two sources on the same days, so that every writer also settles what the others wrote; values that differ by
    // writer, so that everybody has something to update.
    let readings = |value: f64, reversed: bool| {
        let mut readings: Vec<_> = (0..12)
            .flat_map(|hour| {
                ["garmin", "manual"].map(|source| {
                    Reading::steps(source, 0, value + hour as f64).hours(hour * 3, hour * 3 + 1)
                })
            })
            .collect();
        if reversed {
            readings.reverse();
        }
        readings
    };
    const ROUNDS: usize = 40;
    let start = Barrier::new(5);
    thread::scope(|scope| {
        for (value, reversed) in [(1.0, false), (100_000.0, true)] {
            let (start, mut api) = (&start, db.api(person.caller()));
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let batch = records(&readings(value + round as f64, reversed));
                    let answer = ingest(&mut api, person.profile_id, &batch).expect("a batch comes in");
                    assert_eq!(counts(&answer)[..3].iter().sum::<u64>(), 24);
                }
            });
        }
        {
            let (start, mut api) = (&start, db.api(person.caller()));
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let rows: Vec<_> =
                        readings(3.0 + round as f64, round % 2 == 0).iter().map(|r| r.row(person)).collect();
                    upsert(&mut api, &rows).expect("an upsert comes in");
                }
            });
        }
        {
            let (start, mut api) = (&start, db.api(person.caller()));
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let value = 50.0 + round as f64;
                    api.execute("update public.wt_health_metrics set value_num = $1", &[&value])
                        .expect("own rows");
                    api.execute(
                        "delete from public.wt_health_metrics where extract(hour from start_time) = 9",
                        &[],
                    )
                    .expect("own rows");
                }
            });
        }
        let (start, mut jobs) = (&start, db.owner());
        scope.spawn(move || {
            start.wait();
            for _ in 0..ROUNDS {
                jobs.execute("select public.run_health_jobs()", &[]).expect("the jobs run");
            }
        });
    });

    db.run_jobs();
    let rows = table(&mut db.admin(), person, &[]);
    assert!(
        (20..=24).contains(&rows.len()),
        "{} rows of 24 identities, of which 4 are deleted at times",
        rows.len()
    );
    for row in &rows {
        let garmin_counts = |other: &&serde_json::Value| {
            other["source"] == "garmin"
                && other["validation_status"] == "validated"
                && other["local_date"] == row["local_date"]
        };
        let better = row["source"] == "manual" && rows.iter().any(|other| garmin_counts(&other));
        let counts = row["validation_status"] == "validated" && !better;
        assert_eq!(row["is_primary"], serde_json::json!(counts), "{row}");
    }
}
