//! What providers' words become: readings, workouts, the state of a connection.
//!
//! Promises: what is left depends on what a provider said and not on the order in which it was processed; a row that comes
//! through the queue is held to the same rules as one through any other door. Stops at the life of the event itself: `queue`.

use crate::events::*;
use crate::readings::cases;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use welltrack_tests::{Caller, TestDb};

/// One word of Garmin's about one record: which record, period, value, how sure it is.
#[derive(Clone, Debug)]
struct Word {
    record: usize,
    start: u32,
    end: u32,
    value: f64,
    finality: u8,
}

impl Word {
    fn metric(&self) -> Value {
        let mut metric = steps(&format!("r{}", self.record), self.start, self.end, self.value);
        metric["final"] = json!(self.finality);
        metric
    }
}

/// Up to twelve words about four records, which grow and shrink. Two begin at the same instant; the others also move.
fn words() -> impl Strategy<Value = Vec<Word>> {
    let word = (0_usize..4, 0_u32..3, 1_u32..5, 1_u32..4, 0_u8..3).prop_map(
        |(record, shift, minutes, value, finality)| {
            let start = if record < 2 { 0 } else { 3_600 * u32::try_from(record).expect("few") + 60 * shift };
            Word { record, start, end: start + 60 * minutes, value: f64::from(value), finality }
        },
    );
    prop::collection::vec(word, 1..13)
}

/// What must be left of all words, in whatever order they were heard: of each record, and of the records that begin together,
/// the surest, of those the longest, of those the latest.
fn model(words: &[Word]) -> Vec<(String, f64, i32)> {
    let rank = |n: usize| (words[n].finality, words[n].end - words[n].start, n);
    let mut records: BTreeMap<usize, usize> = BTreeMap::new();
    for (n, word) in words.iter().enumerate() {
        let known = records.entry(word.record).or_insert(n);
        *known = std::cmp::max_by_key(*known, n, |&n| rank(n));
    }
    let mut starts: BTreeMap<u32, usize> = BTreeMap::new();
    for n in records.into_values() {
        let known = starts.entry(words[n].start).or_insert(n);
        *known = std::cmp::max_by_key(*known, n, |&n| rank(n));
    }
    let mut left: Vec<_> = starts
        .into_values()
        .map(|n| {
            let end = i32::try_from(words[n].end).expect("a day is short");
            (format!("r{}", words[n].record), words[n].value, end)
        })
        .collect();
    left.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    left
}

#[test]
fn what_is_left_does_not_depend_on_the_order_of_processing() {
    let (db, ..) = connected("garmin", "g1");
    let (service, admin) =
        (std::cell::RefCell::new(db.api(Caller::Service)), std::cell::RefCell::new(db.admin()));
    let histories = words().prop_flat_map(|words| {
        let order = Just((0..words.len()).collect::<Vec<_>>()).prop_shuffle();
        (Just(words), order, prop::collection::vec(1_usize..5, 12))
    });
    TestRunner::new(cases(150))
        .run(&histories, |(words, order, sizes)| {
            let (service, admin) = (&mut *service.borrow_mut(), &mut *admin.borrow_mut());
            admin
                .batch_execute("delete from public.wt_health_metrics; delete from public.wt_webhook_events")
                .expect("the stage is cleared");
            for n in 0..words.len() {
                push_daily(service, "g1", n as u64);
            }
            let events = claim(service, "w", 100);
            let mut order = order.as_slice();
            let mut ids: BTreeMap<String, String> = BTreeMap::new();
            for size in sizes.iter().cycle() {
                let (batch, rest) = order.split_at((*size).min(order.len()));
                let results: Vec<Value> =
                    batch.iter().map(|n| says(&events[*n], &[words[*n].metric()])).collect();
                let settled = settle(service, "w", &results);
                prop_assert_eq!(settled, [batch.len() as u64, 0, 0, 0, 0]);
                let rows = admin
                    .query("select source_record_id, id::text from public.wt_health_metrics", &[])
                    .expect("readable");
                for row in rows {
                    let (name, id): (String, String) = (row.get(0), row.get(1));
                    let before = ids.insert(name.clone(), id.clone()).unwrap_or_else(|| id.clone());
                    let shares = ["r0", "r1"].contains(&name.as_str());
                    prop_assert!(shares || before == id, "{} is another row now", name);
                }
                order = rest;
                if order.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(readings(admin), model(&words));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Processes one more event of `account` that says this.
fn hear(db: &TestDb, account: &str, metrics: &[Value]) {
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, account, 0);
    let events = claim(&mut service, "w", 1);
    assert_eq!(settle(&mut service, "w", &[says(&events[0], metrics)]), [1, 0, 0, 0, 0]);
}

fn column_of_reading(db: &TestDb, name: &str) -> String {
    let sql = format!("select ({name})::text from public.wt_health_metrics");
    db.admin().query_one(&sql, &[]).expect("one reading").get(0)
}

#[test]
fn a_final_word_replaces_a_tentative_one_and_not_the_other_way_round() {
    let (db, ..) = connected("garmin", "g1");
    let tentative = |value| {
        let mut word = steps("a", 0, 60, value);
        word["final"] = json!(false);
        word
    };
    hear(&db, "g1", &[tentative(1.0)]);
    hear(&db, "g1", &[tentative(2.0)]);
    hear(&db, "g1", &[steps("a", 0, 30, 3.0)]);
    hear(&db, "g1", &[tentative(4.0)]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 3.0, 30)]);
    let mut by_hand = steps("a", 0, 20, 5.0);
    by_hand["final"] = json!(2);
    hear(&db, "g1", &[by_hand]);
    hear(&db, "g1", &[steps("a", 0, 60, 6.0)]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 5.0, 20)], "she knows best");
}

/// Garmin delivers again what failed before, and the morning's summary may come after the evening's.
#[test]
fn a_shorter_word_that_comes_late_replaces_nothing() {
    let (db, ..) = connected("garmin", "g1");
    hear(&db, "g1", &[steps("a", 0, 60, 2.0)]);
    hear(&db, "g1", &[steps("a", 0, 30, 1.0)]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 2.0, 60)]);
    hear(&db, "g1", &[steps("a", 0, 60, 3.0)]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 3.0, 60)]);
}

#[test]
fn another_record_with_the_same_beginning_replaces_when_it_is_not_shorter() {
    let (db, ..) = connected("garmin", "g1");
    hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
    let id = column_of_reading(&db, "id");
    hear(&db, "g1", &[steps("b", 0, 50, 2.0)]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 1.0, 60)]);
    hear(&db, "g1", &[steps("b", 0, 60, 3.0)]);
    hear(&db, "g1", &[steps("c", 0, 90, 4.0)]);
    assert_eq!(readings(&mut db.admin()), [("c".to_owned(), 4.0, 90)]);
    assert_eq!(column_of_reading(&db, "id"), id, "it is still the same reading");
}

#[test]
fn a_changed_reading_is_judged_anew_and_an_unchanged_one_leaves_no_trace() {
    let (db, ..) = connected("garmin", "g1");
    let trail = "select count(*) from public.wt_audit_log where table_name = 'wt_health_metrics'";
    let trail = || db.admin().query_one(trail, &[]).expect("readable").get::<_, i64>(0);
    hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
    db.run_jobs();
    let before = trail();
    hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
    assert_eq!((column_of_reading(&db, "validation_status"), trail()), ("validated".to_owned(), before));
    for word in [steps("a", 0, 60, 2.0), steps("a", 0, 90, 2.0)] {
        hear(&db, "g1", &[word]);
        assert_eq!(column_of_reading(&db, "validation_status"), "raw");
        db.run_jobs();
    }
    assert!(trail() > before);
    // An older word with an unchanged later one between them stays older.
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, "g1", 1);
    push_daily(&mut service, "g1", 2);
    let events = claim(&mut service, "w", 2);
    settle(&mut service, "w", &[says(&events[1], &[steps("a", 0, 90, 2.0)])]);
    settle(&mut service, "w", &[says(&events[0], &[steps("a", 0, 90, 7.0)])]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 2.0, 90)]);
}

#[test]
fn a_reading_is_in_the_canonical_unit_and_on_the_day_it_was_where_its_person_lived() {
    let (db, ..) = connected("garmin", "g1");
    let move_to = |zone: &str| {
        db.admin().execute("update public.wt_users set timezone = $1", &[&zone]).expect("she moves");
    };
    move_to("Asia/Tokyo");
    let weight = |value: f64, from: &str| {
        json!({"metric_type": "weight", "value_num": value, "unit": "lb", "start_time": from, "end_time": null,
               "source_record_id": "a", "final": true})
    };
    hear(&db, "g1", &[weight(100.0, "2026-03-01T20:00:00Z")]);
    let look = || {
        [
            "local_date",
            "round(value_num::numeric, 3) || unit",
            "dedupe_hash = welltrack.dedupe_hash(user_id, profile_id,
          source::text, metric_type::text, start_time, end_time)",
        ]
        .map(|name| column_of_reading(&db, name))
    };
    assert_eq!(look(), ["2026-03-02", "45.359kg", "true"]);
    move_to("America/New_York");
    hear(&db, "g1", &[weight(101.0, "2026-03-01T20:00:00Z")]);
    assert_eq!(look(), ["2026-03-02", "45.813kg", "true"], "history does not move with her");
    hear(&db, "g1", &[weight(101.0, "2026-03-01T21:00:00Z")]);
    assert_eq!(look(), ["2026-03-01", "45.813kg", "true"], "a reading that moved is where she lives now");
}

#[test]
fn a_better_source_counts_whichever_door_it_comes_through() {
    let (db, ada, _) = connected("garmin", "g1");
    let manual =
        "insert into public.wt_health_metrics (profile_id, source, metric_type, value_num, start_time, end_time)
                  values ($1, 'manual', 'steps', 5, '2026-03-01T10:00:00Z', '2026-03-01T11:00:00Z')";
    db.api(ada.caller()).execute(manual, &[&ada.profile_id]).expect("she types it in");
    hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
    let counting = "select string_agg(source::text, ',') from public.wt_health_metrics where is_primary";
    assert_eq!(db.admin().query_one(counting, &[]).expect("readable").get::<_, String>(0), "garmin");
}

#[test]
fn what_she_wrote_in_a_providers_name_gives_way_to_the_provider() {
    let (db, ada, _) = connected("garmin", "g1");
    let by_hand = "insert into public.wt_health_metrics
                     (profile_id, source, metric_type, value_num, start_time, end_time, source_record_id)
                   values ($1, 'garmin', 'steps', 5, '2026-03-01T00:00:00Z', '2026-03-01T00:01:00Z', $2)";
    for name in [None, Some("a")] {
        db.admin().execute("delete from public.wt_health_metrics", &[]).expect("the stage is cleared");
        db.api(ada.caller()).execute(by_hand, &[&ada.profile_id, &name]).expect("she may");
        hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
        assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 1.0, 60)]);
    }
}

#[test]
fn two_profiles_of_one_person_keep_their_readings_apart() {
    let (db, ada, _) = connected("garmin", "g1");
    let child = "insert into public.wt_profiles (display_name) values ('Child') returning id";
    let profile_id = db.api(ada.caller()).query_one(child, &[]).expect("she has a child").get(0);
    connect(&mut db.api(Caller::Service), welltrack_tests::Person { profile_id, ..ada }, "garmin", "g2");
    let mut service = db.api(Caller::Service);
    push_daily(&mut service, "g1", 1);
    push_daily(&mut service, "g2", 2);
    let events = claim(&mut service, "w", 2);
    let results = [says(&events[0], &[steps("a", 0, 60, 1.0)]), says(&events[1], &[steps("b", 0, 60, 2.0)])];
    assert_eq!(settle(&mut service, "w", &results), [2, 0, 0, 0, 0]);
    assert_eq!(readings(&mut db.admin()), [("a".to_owned(), 1.0, 60), ("b".to_owned(), 2.0, 60)]);
}

#[test]
fn an_activity_becomes_a_workout_is_corrected_and_is_taken_back() {
    let (db, ada, _) = connected("strava", "s1");
    let (mut service, mut admin) = (db.api(Caller::Service), db.admin());
    let workout = |minutes: f64, is_private: bool| {
        json!({"source_record_id": "77", "workout_type": "Run", "name": "Morning", "start_time": "2026-03-01T06:00:00Z",
               "duration_minutes": minutes, "distance_m": 5000, "elevation_gain_m": null, "calories_kcal": 300,
               "average_hr_bpm": 150, "max_hr_bpm": null, "is_private": is_private})
    };
    let minutes = std::cell::Cell::new(60);
    let mut fetch = |workouts: Value, deleted: Value| {
        push(&mut service, "strava", &[event("activity.update", "s1", json!({}))]);
        let events = claim(&mut service, "w", 1);
        let mut result = says(&events[0], &[]);
        result["workouts"] = workouts;
        result["deleted"] = deleted;
        if result["workouts"].is_array() {
            result["metrics"] = json!([steps("77", 0, 60 * minutes.get(), 5.0)]);
        }
        assert_eq!(settle(&mut service, "w", &[result]), [1, 0, 0, 0, 0]);
    };
    let mut look = || -> Vec<(f64, bool, String)> {
        admin
            .query("select duration_minutes, is_private, xmin::text from public.wt_workouts", &[])
            .expect("readable")
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    };
    fetch(json!([workout(30.0, false)]), json!(null));
    let first = look();
    assert_eq!((first.len(), first[0].0, first[0].1), (1, 30.0, false));
    fetch(json!([workout(30.0, false)]), json!(null));
    assert_eq!(look(), first, "fetched again unchanged, nothing is written");
    fetch(json!([workout(31.0, true), workout(32.0, true)]), json!(null));
    assert_eq!((look()[0].0, look()[0].1), (32.0, true));
    minutes.set(32);
    fetch(json!([workout(32.0, true)]), json!(null));
    assert_eq!(readings(&mut db.admin())[0].2, 32 * 60, "a cropped activity is a shorter one");
    let notes = "update public.wt_workouts set notes = 'windy'";
    assert_eq!(db.api(ada.caller()).execute(notes, &[]).expect("it is hers"), 1);
    fetch(json!(null), json!(["77", "unknown"]));
    assert_eq!(look(), []);
    assert_eq!(readings(&mut db.admin()), []);
}

/// The connection's row: connected, scopes, how many tokens, whether it was synced.
fn connection(db: &TestDb) -> (bool, Vec<String>, i64, bool) {
    let row = db
        .admin()
        .query_one(
            "select is_connected, scopes, (select count(*) from public.wt_connection_tokens),
                    last_sync_at = (select max(received_at) from public.wt_webhook_events where event_type = 'dailies')
             from public.wt_health_connections",
            &[],
        )
        .expect("one connection");
    (row.get(0), row.get(1), row.get(2), row.get::<_, Option<bool>>(3).unwrap_or(false))
}

#[test]
fn a_farewell_ends_the_connection_that_it_was_said_to_and_no_later_one() {
    let (db, ada, _) = connected("garmin", "g1");
    let mut service = db.api(Caller::Service);
    assert_eq!(connection(&db), (true, vec!["read".to_owned()], 1, false));
    hear(&db, "g1", &[]);
    assert!(!connection(&db).3, "nothing came with it");
    hear(&db, "g1", &[steps("a", 0, 60, 1.0)]);
    assert!(connection(&db).3);

    let mut news = |said: Value| {
        push(&mut service, "garmin", &[event("userPermissionsChange", "g1", json!({}))]);
        let events = claim(&mut service, "w", 1);
        let mut result = result(&events[0], "processed");
        result["connection"] = said;
        (events[0].clone(), result)
    };
    let (_, scopes) = news(json!({"scopes": ["sleep", "steps"]}));
    let mut service = db.api(Caller::Service);
    settle(&mut service, "w", &[scopes]);
    assert_eq!(connection(&db), (true, vec!["sleep".to_owned(), "steps".to_owned()], 1, true));

    // She consents anew while the farewell waits to be processed.
    let (_, farewell) = news(json!({"is_connected": false}));
    connect(&mut service, ada, "garmin", "g1");
    settle(&mut service, "w", &[farewell]);
    assert!(connection(&db).0);
    let (_, farewell) = news(json!({"is_connected": false}));
    settle(&mut service, "w", &[farewell]);
    assert_eq!(connection(&db), (false, vec!["read".to_owned()], 0, true));
    assert_eq!(readings(&mut db.admin()).len(), 1, "what is hers stays");
    // A provider can't connect anybody by itself.
    push(&mut service, "garmin", &[event("dailies", "g1", json!({}))]);
    assert_eq!(claim(&mut service, "w", 1), Vec::<Value>::new());
}
