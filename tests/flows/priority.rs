//! Which source speaks for a day where several measured it.
//!
//! Promises: on a person's local day the best source that has a reading counts, with all its readings, whatever the
//! order and the doors they came in by, and it stays so when readings are rejected, corrected, moved and deleted. Stops
//! at which source is better than which: that is stated here once and decided in the core.

use crate::readings::{HOUR, MONDAY, Reading, cases, copy, ingest, records, upsert};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use welltrack_tests::{Caller, Person, TestDb, become_caller};

/// Every source, the best first.
pub(crate) const BY_PRIORITY: [&str; 5] = ["garmin", "healthkit", "health_connect", "strava", "manual"];

/// The sources whose readings count, with how many of theirs do, and how many readings don't count.
fn counting(admin: &mut Client, person: Person, day: &str) -> (Vec<(String, i64)>, i64) {
    let rows = admin
        .query(
            "select source::text, count(*) filter (where is_primary), count(*) filter (where not is_primary)
             from public.wt_health_metrics where user_id = $1 and local_date = $2::text::date group by 1",
            &[&person.user_id, &day],
        )
        .expect("the table can be read");
    let mut sources: Vec<_> =
        rows.iter().map(|row| (row.get(0), row.get(1))).filter(|(_, n)| *n > 0).collect();
    sources.sort();
    (sources, rows.iter().map(|row| row.get::<_, i64>(2)).sum())
}

fn only(source: &str, count: i64) -> Vec<(String, i64)> {
    vec![(source.to_owned(), count)]
}

#[test]
fn the_best_source_counts_whatever_the_order_and_the_doors() {
    let db = TestDb::new();
    let clients = RefCell::new((db.admin(), db.api(Caller::Anon), db.api(Caller::Service)));
    // Who measured, how many readings each, in which order they arrive, by which doors, and who is deleted afterwards.
    let world = (
        prop::sample::subsequence(BY_PRIORITY.to_vec(), 1..=5).prop_shuffle(),
        prop::collection::vec((1_i64..4, 0..3), 5),
        prop::sample::subsequence(BY_PRIORITY.to_vec(), 0..=5).prop_shuffle(),
        any::<bool>(),
    );
    TestRunner::new(cases(120))
        .run(&world, |(arrivals, how, departures, judged)| {
            let (admin, phone, service) = &mut *clients.borrow_mut();
            let person = db.sign_up(&format!("{}@example.com", uuid::Uuid::new_v4().simple()));
            become_caller(phone, person.caller());
            let mut present: Vec<(&str, i64)> = Vec::new();
            let check = |admin: &mut Client, present: &[(&str, i64)], event: &str| {
                let best =
                    BY_PRIORITY.iter().find_map(|best| present.iter().find(|(source, _)| source == best));
                let all: i64 = present.iter().map(|(_, count)| count).sum();
                let expected =
                    best.map_or((vec![], 0), |(source, count)| (only(source, *count), all - count));
                prop_assert_eq!(counting(admin, person, "2025-03-03"), expected, "after {}", event);
                Ok(())
            };
            for (source, (count, door)) in arrivals.iter().zip(&how) {
                let readings: Vec<_> =
                    (0..*count).map(|hour| Reading::steps(source, 0, 10.0).hours(hour, hour + 1)).collect();
                let rows: Vec<_> = readings.iter().map(|reading| reading.row(person)).collect();
                match door {
                    0 => drop(ingest(phone, person.profile_id, &records(&readings)).expect("comes in")),
                    1 => upsert(phone, &rows).expect("comes in"),
                    _ => drop(copy(service, &rows).expect("comes in")),
                }
                present.push((source, *count));
                check(admin, &present, &format!("{source} arrived"))?;
            }
            if judged {
                db.run_jobs();
                check(admin, &present, "all were judged")?;
            }
            for source in departures {
                phone
                    .execute("delete from public.wt_health_metrics where source::text = $1", &[&source])
                    .expect("own rows");
                present.retain(|(kept, _)| *kept != source);
                check(admin, &present, &format!("{source} was deleted"))?;
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_next_best_counts_when_the_best_is_rejected_and_steps_back_when_it_is_corrected() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let (mut admin, mut phone) = (db.admin(), db.api(person.caller()));
    let day = BY_PRIORITY.map(|source| Reading::steps(source, 0, 200_000.0));
    ingest(&mut phone, person.profile_id, &records(&day)).expect("comes in");
    assert_eq!(counting(&mut admin, person, "2025-03-03"), (only("garmin", 1), 4), "what is raw counts");
    db.run_jobs();
    assert_eq!(counting(&mut admin, person, "2025-03-03"), (vec![], 5), "nothing is plausible");

    // From the worst to the best, each correction takes the day over, already while it is raw.
    for source in BY_PRIORITY.iter().rev() {
        ingest(&mut phone, person.profile_id, &records(&[Reading::steps(source, 0, 5_000.0)]))
            .expect("comes in");
        for event in ["corrected", "judged"] {
            assert_eq!(counting(&mut admin, person, "2025-03-03"), (only(source, 1), 4), "{source} {event}");
            db.run_jobs();
        }
    }
    // And from the best to the worst, each one that becomes implausible leaves the day to the next.
    for (source, next) in BY_PRIORITY.iter().zip(&BY_PRIORITY[1..]) {
        phone
            .execute("update public.wt_health_metrics set value_num = -1 where source::text = $1", &[source])
            .expect("own rows");
        db.run_jobs();
        assert_eq!(counting(&mut admin, person, "2025-03-03"), (only(next, 1), 4), "without {source}");
    }
}

#[test]
fn a_reading_that_moves_to_another_day_leaves_one_and_takes_the_other() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let (mut admin, mut phone) = (db.admin(), db.api(person.caller()));
    let days: Vec<_> = [0, 1].map(|day| Reading::steps("manual", day, 10.0)).into();
    ingest(&mut phone, person.profile_id, &records(&days)).expect("comes in");
    let watch = |day| Reading::steps("garmin", day, 10.0).named("summary");

    for (door, (taken, left)) in [(0, (0, 1)), (1, (1, 0)), (2, (0, 1)), (3, (1, 0))] {
        let reading = watch(taken);
        match door {
            0 => drop(ingest(&mut phone, person.profile_id, &records(&[reading])).expect("comes in")),
            1 => upsert(&mut phone, &[reading.row(person)]).expect("comes in"),
            2 => drop(copy(&mut db.api(Caller::Service), &[reading.row(person)]).expect("comes in")),
            _ => drop(
                phone
                    .execute(
                        "update public.wt_health_metrics set start_time = start_time + interval '1 day',
                           end_time = end_time + interval '1 day' where source = 'garmin'",
                        &[],
                    )
                    .expect("own rows"),
            ),
        }
        let dates = ["2025-03-03", "2025-03-04"];
        assert_eq!(
            counting(&mut admin, person, dates[taken as usize]),
            (only("garmin", 1), 1),
            "door {door}"
        );
        assert_eq!(counting(&mut admin, person, dates[left as usize]), (only("manual", 1), 0), "door {door}");
    }
}

#[test]
fn readings_compete_on_the_local_day_of_their_own_profile_and_metric() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let (mut admin, mut phone) = (db.admin(), db.api(person.caller()));
    phone.execute("update public.wt_users set timezone = 'America/New_York'", &[]).expect("people move");
    let child: uuid::Uuid = phone
        .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
        .expect("a dependent can be added")
        .get(0);
    let night = |source, from: i64, to: i64| Reading {
        source,
        metric: "sleep",
        value: 60.0,
        unit: "min",
        start: MONDAY + from * HOUR,
        end: MONDAY + to * HOUR,
        name: None,
    };
    let readings = [
        // Midnight in New York is five in UTC. Waking decides: these two meet on the 3rd, the third is of the 4th.
        night("garmin", 2, 12),
        night("manual", 13, 15),
        night("strava", 15, 30),
        // Another metric of the same day, and the evening before.
        Reading::steps("manual", 0, 10.0).hours(6, 7),
        Reading::steps("strava", 0, 10.0).hours(4, 5),
    ];
    ingest(&mut phone, person.profile_id, &records(&readings)).expect("comes in");
    ingest(&mut phone, child, &records(&[night("manual", 3, 12)])).expect("comes in");

    let counts = admin
        .query(
            "select metric_type::text, source::text, local_date::text, profile_id = $1, is_primary
             from public.wt_health_metrics order by start_time, 2",
            &[&person.profile_id],
        )
        .expect("readable");
    let counts: Vec<(String, String, String, bool, bool)> =
        counts.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect();
    let row = |metric: &str, source: &str, day: &str, own, counts| {
        (metric.to_owned(), source.to_owned(), format!("2025-03-{day}"), own, counts)
    };
    assert_eq!(
        counts,
        [
            row("sleep", "garmin", "03", true, true),
            row("sleep", "manual", "03", false, true),
            row("steps", "strava", "02", true, true),
            row("steps", "manual", "03", true, true),
            row("sleep", "manual", "03", true, false),
            row("sleep", "strava", "04", true, true),
        ]
    );
}
