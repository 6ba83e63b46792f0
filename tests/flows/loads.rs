//! Training load: every minute of effort counts once, whoever tells of it.
//!
//! Promises: the minutes that count equal those of an oracle that paints each minute with the best workout that covers it, for
//! any overlapping workouts, in whatever order they come, change and go; active minutes count for what is left of them; a
//! load stays on its day. Stops at how hard a workout was: that is the core's.

use crate::days::{date, live, reading, values};
use crate::priority::BY_PRIORITY;
use crate::readings::{DAY, HOUR, MONDAY, cases, iso};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::BTreeMap;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb};

/// The sources of a workout, the best first: what was planned and done is as good as what was typed.
fn by_priority() -> Vec<&'static str> {
    BY_PRIORITY.into_iter().chain(["plan"]).collect()
}

/// A workout: its source, first minute after Monday's midnight, length in minutes.
#[derive(Clone, Copy, Debug)]
struct Workout {
    id: Uuid,
    source: &'static str,
    start: i64,
    minutes: i64,
}

impl Workout {
    /// The lower, the better.
    fn rank(&self) -> (usize, i64, i64, Uuid) {
        let place = by_priority().iter().position(|source| *source == self.source).expect("a known source");
        (place.min(4), -self.minutes, self.start, self.id)
    }

    fn put(&self, client: &mut Client, person: Person) {
        let sql = "insert into public.wt_workouts as w
                     (id, user_id, profile_id, source, workout_type, start_time, duration_minutes, perceived_exertion)
                   values ($1, $2, $3, $4::text::public.wt_workout_source, 'run', $5::text::timestamptz, $6, 5)
                   on conflict (id) do update
                     set source = excluded.source, start_time = excluded.start_time,
                         duration_minutes = excluded.duration_minutes";
        let start = iso(MONDAY + self.start * 60);
        let row: [&(dyn postgres::types::ToSql + Sync); 6] =
            [&self.id, &person.user_id, &person.profile_id, &self.source, &start, &(self.minutes as f64)];
        client.execute(sql, &row).expect("the workout is taken");
    }
}

/// The minutes that each workout counts: every minute belongs to the best workout that covers it.
fn painted(workouts: &[Workout]) -> BTreeMap<Uuid, i64> {
    let mut counted: BTreeMap<Uuid, i64> = workouts.iter().map(|workout| (workout.id, 0)).collect();
    let end = workouts.iter().map(|workout| workout.start + workout.minutes).max().unwrap_or(0);
    for minute in 0..end {
        let covering = workouts.iter().filter(|w| (w.start..w.start + w.minutes).contains(&minute));
        if let Some(best) = covering.min_by_key(|workout| workout.rank()) {
            *counted.get_mut(&best.id).expect("every workout is there") += 1;
        }
    }
    counted
}

fn counted(admin: &mut Client, person: Person) -> BTreeMap<Uuid, i64> {
    let sql = "select workout_id, duration_minutes, training_load from public.wt_training_loads
               where profile_id = $1 and workout_id is not null";
    let rows = admin.query(sql, &[&person.profile_id]).expect("the table can be read");
    rows.iter()
        .map(|row| {
            let minutes: f64 = row.get(1);
            assert_eq!(row.get::<_, f64>(2), minutes * 5.0, "an exertion of 5 is the factor 5");
            assert!((minutes - minutes.round()).abs() < 1e-6, "{minutes} minutes of whole ones");
            (row.get(0), minutes.round() as i64)
        })
        .collect()
}

#[test]
fn every_minute_counts_for_the_best_workout_that_covers_it_whatever_came_when() {
    let db = TestDb::new();
    let clients = RefCell::new((db.admin(), db.api(Caller::Service)));
    let workout = (prop::sample::select(by_priority()), 0..300_i64, 0..120_i64)
        .prop_map(|(source, start, minutes)| Workout { id: Uuid::nil(), source, start, minutes });
    let world = (
        prop::collection::vec(workout.clone(), 1..8),
        prop::collection::vec((any::<prop::sample::Index>(), workout), 0..4),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    );
    TestRunner::new(cases(100))
        .run(&world, |(mut workouts, edits, deletions)| {
            let (admin, service) = &mut *clients.borrow_mut();
            let person = db.sign_up(&format!("{}@example.com", Uuid::new_v4().simple()));
            for workout in &mut workouts {
                workout.id = Uuid::new_v4();
                workout.put(service, person);
            }
            prop_assert_eq!(counted(admin, person), painted(&workouts), "as they came");
            for (nth, edit) in edits {
                let workout = nth.get(&workouts).id;
                let edited = workouts.iter_mut().find(|w| w.id == workout).expect("it is one of them");
                *edited = Workout { id: workout, ..edit };
                edited.put(service, person);
            }
            prop_assert_eq!(counted(admin, person), painted(&workouts), "as they were edited");
            for nth in deletions {
                if workouts.is_empty() {
                    break;
                }
                let gone = workouts.remove(nth.index(workouts.len()));
                service
                    .execute("delete from public.wt_workouts where id = $1", &[&gone.id])
                    .expect("it goes");
            }
            prop_assert_eq!(counted(admin, person), painted(&workouts), "as they went");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Load type and minutes of each load of a day, the least first.
fn loads(db: &TestDb, person: Person, day: i64) -> Vec<(String, f64)> {
    let sql = "select load_type::text, duration_minutes from public.wt_training_loads
               where profile_id = $1 and load_date = $2::text::date order by 2, 1";
    let rows = db.admin().query(sql, &[&person.profile_id, &date(day)]).expect("the table can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn workout(db: &TestDb, person: Person, source: &'static str, start: i64, minutes: i64) -> Workout {
    let workout = Workout { id: Uuid::new_v4(), source, start, minutes };
    workout.put(&mut db.api(person.caller()), person);
    workout
}

fn load_of(db: &TestDb, person: Person, day: i64) -> Option<f64> {
    values(db, person).get(&date(day)).and_then(|values| values["training_load"].as_f64())
}

fn named(kind: &str, minutes: f64) -> (String, f64) {
    (kind.to_owned(), minutes)
}

#[test]
fn the_same_run_from_a_watch_strava_and_active_minutes_counts_once() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    // The watch saw 40 minutes of it, Strava 45 that began with it; the day had 70 active minutes.
    workout(&db, ada, "strava", 600, 45);
    let watch = workout(&db, ada, "garmin", 600, 40);
    live(&db, ada, &[reading("active_minutes", 0, 70.0)]);
    assert_eq!(
        loads(&db, ada, 0),
        [named("activity", 5.0), named("active_minutes", 25.0), named("activity", 40.0)]
    );
    assert_eq!(load_of(&db, ada, 0), Some(45.0 * 5.0 + 25.0 * 4.0));

    // What is taken back leaves its minutes to the others.
    db.api(ada.caller())
        .execute("delete from public.wt_workouts where id = $1", &[&watch.id])
        .expect("own rows");
    db.run_jobs();
    assert_eq!(loads(&db, ada, 0), [named("active_minutes", 25.0), named("activity", 45.0)]);
    assert_eq!(load_of(&db, ada, 0), Some(45.0 * 5.0 + 25.0 * 4.0));
}

#[test]
fn active_minutes_that_workouts_account_for_are_measured_rest_and_unmeasured_ones_are_unknown() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    workout(&db, ada, "manual", 600, 50);
    live(
        &db,
        ada,
        &[reading("active_minutes", 0, 30.0), reading("active_minutes", 1, 0.0), reading("sleep", 2, 400.0)],
    );
    assert_eq!(loads(&db, ada, 0), [named("active_minutes", 0.0), named("workout", 50.0)]);
    assert_eq!(load_of(&db, ada, 0), Some(250.0));
    assert_eq!((load_of(&db, ada, 1), loads(&db, ada, 1)), (Some(0.0), vec![named("active_minutes", 0.0)]));
    assert_eq!((load_of(&db, ada, 2), loads(&db, ada, 2)), (None, vec![]));

    // Without the reading, its row goes and the workout stays.
    db.api(ada.caller()).execute("delete from public.wt_health_metrics", &[]).expect("own rows");
    db.run_jobs();
    assert_eq!((load_of(&db, ada, 0), loads(&db, ada, 0)), (Some(250.0), vec![named("workout", 50.0)]));
    assert_eq!(values(&db, ada).len(), 1, "days without anything have no row");
}

#[test]
fn a_day_has_no_more_active_minutes_than_minutes() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let halves = [
        reading("active_minutes", 0, 1440.0).hours(0, 12),
        reading("active_minutes", 0, 1440.0).hours(12, 24),
    ];
    live(&db, ada, &halves);
    assert_eq!(loads(&db, ada, 0), [named("active_minutes", 1440.0)]);
    assert_eq!(values(&db, ada)[&date(0)]["active_minutes"], 2880.0, "the readings are what they are");
}

#[test]
fn a_load_stays_on_the_day_that_was_local_until_its_workout_moves() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    // Monday, 23:30 in UTC.
    let mut late = workout(&db, ada, "manual", 23 * 60 + 30, 60);
    client.execute("update public.wt_users set timezone = 'Asia/Tokyo'", &[]).expect("she travels");
    late.minutes = 50;
    late.put(&mut client, ada);
    assert_eq!((loads(&db, ada, 0), loads(&db, ada, 1)), (vec![named("workout", 50.0)], vec![]));
    db.run_jobs();
    assert_eq!((load_of(&db, ada, 0), load_of(&db, ada, 1)), (Some(250.0), None));

    // Ten minutes later it was Tuesday in Tokyo already.
    late.start += 10;
    late.put(&mut client, ada);
    db.run_jobs();
    assert_eq!((loads(&db, ada, 0), loads(&db, ada, 1)), (vec![], vec![named("workout", 50.0)]));
    assert_eq!((load_of(&db, ada, 0), load_of(&db, ada, 1)), (None, Some(250.0)));
}

#[test]
fn a_workout_on_a_days_edge_belongs_to_the_day_on_which_it_began_also_where_a_clock_changes() {
    let db = TestDb::new();
    for (zone, start, day) in [
        // An hour is left out in Berlin on 2025-03-30, the 27th day; one comes twice on 2025-10-26, the 237th.
        ("Europe/Berlin", MONDAY + 26 * DAY + 22 * HOUR + 3599, "2025-03-29"),
        ("Europe/Berlin", MONDAY + 26 * DAY + 23 * HOUR, "2025-03-30"),
        ("Europe/Berlin", MONDAY + 27 * DAY + 21 * HOUR + 3599, "2025-03-30"),
        ("Europe/Berlin", MONDAY + 27 * DAY + 22 * HOUR, "2025-03-31"),
        ("Europe/Berlin", MONDAY + 236 * DAY + 22 * HOUR, "2025-10-26"),
        ("Europe/Berlin", MONDAY + 237 * DAY + 22 * HOUR + 3599, "2025-10-26"),
        ("Europe/Berlin", MONDAY + 237 * DAY + 23 * HOUR, "2025-10-27"),
        ("UTC", 1_709_164_800 + 23 * HOUR, "2024-02-29"),
    ] {
        let email = format!("{start}@example.com");
        let ada =
            db.sign_up_with(&serde_json::json!({"email": email, "raw_user_meta_data": {"timezone": zone}}));
        workout(&db, ada, "manual", (start - MONDAY).div_euclid(60), 60);
        db.run_jobs();
        let days: Vec<String> = values(&db, ada).into_keys().collect();
        assert_eq!(days, [day], "{start} in {zone}");
    }
}
