//! Each person's baseline: mean and spread of the last 14 local days that have readings which count.
//!
//! Promises: baselines equal a computation that shares no code with the database, for any histories with gaps, several
//! readings a day, implausible ones, corrections and deletions; days are local days, also where a clock changes; nobody
//! but the job writes them. Stops at one metric at a time: which source counts is in `priority`.

use crate::readings::{DAY, HOUR, MONDAY, Reading, cases, ingest, records};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::BTreeMap;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, become_caller, sqlstate};

/// Mean, spread, number of days, first and last day as days since the epoch, status.
#[derive(Debug, PartialEq)]
struct Baseline {
    mean: Option<f64>,
    spread: Option<f64>,
    days: i32,
    first: Option<i32>,
    last: Option<i32>,
    status: String,
    complete: bool,
}

impl Baseline {
    /// Of the values of each day.
    fn of(days: &BTreeMap<i64, f64>) -> Self {
        let last: Vec<_> = days.iter().rev().take(14).collect();
        let count = last.len() as f64;
        let mean = last.iter().map(|(_, value)| *value).sum::<f64>() / count;
        let squares: f64 = last.iter().map(|(_, value)| (*value - mean).powi(2)).sum();
        Baseline {
            mean: (!last.is_empty()).then_some(mean),
            spread: (last.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            days: last.len() as i32,
            first: last.last().map(|(day, _)| **day as i32),
            last: last.first().map(|(day, _)| **day as i32),
            status: match last.len() {
                0 => "pending",
                14 => "complete",
                _ => "in_progress",
            }
            .to_owned(),
            complete: last.len() == 14,
        }
    }

    fn read(client: &mut Client, profile_id: Uuid, metric: &str) -> Option<Self> {
        client
            .query_opt(
                "select baseline_value, baseline_stddev, data_points_count, capture_start - date 'epoch',
                        capture_end - date 'epoch', calibration_status::text, is_complete
                 from public.wt_baselines where profile_id = $1 and metric_type::text = $2",
                &[&profile_id, &metric],
            )
            .expect("baselines can be read")
            .map(|row| Baseline {
                mean: row.get(0),
                spread: row.get(1),
                days: row.get(2),
                first: row.get(3),
                last: row.get(4),
                status: row.get(5),
                complete: row.get(6),
            })
    }

    fn is_close_to(&self, other: &Self) -> bool {
        let close = |left: Option<f64>, right: Option<f64>| match (left, right) {
            (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * right.abs().max(1.0),
            (left, right) => left == right,
        };
        close(self.mean, other.mean)
            && close(self.spread, other.spread)
            && (self.days, self.first, self.last, &self.status, self.complete)
                == (other.days, other.first, other.last, &other.status, other.complete)
    }
}

fn steps_of(db: &TestDb, person: Person) -> Baseline {
    db.run_jobs();
    Baseline::read(&mut db.api(person.caller()), person.profile_id, "steps").expect("there is a baseline")
}

/// What happens after a history came in.
#[derive(Clone, Debug)]
enum Later {
    Correct(prop::sample::Index, f64),
    Delete(prop::sample::Index),
}

#[test]
fn baselines_equal_an_independent_computation() {
    // Kathmandu is 5:45 ahead of UTC all year, so its days can be cut by arithmetic.
    const AHEAD: i64 = 5 * HOUR + 45 * 60;
    let db = TestDb::new();
    let clients = RefCell::new((db.admin(), db.api(Caller::Anon)));
    let hours = prop::collection::btree_map(0..40 * 24_i64, -0.2..1.5_f64, 0..120);
    let later = prop::collection::vec(
        prop_oneof![
            (any::<prop::sample::Index>(), -0.2..1.5_f64).prop_map(|(nth, value)| Later::Correct(nth, value)),
            any::<prop::sample::Index>().prop_map(Later::Delete),
        ],
        0..6,
    );
    // A metric that adds up over a day, one that is averaged, and one whose days are those of waking; the largest
    // plausible value and the least.
    let metric = prop::sample::select(vec![
        ("steps", "count", 0.0, 100_000.0),
        ("weight", "kg", 20.0, 300.0),
        ("sleep", "min", 0.0, 60.0),
    ]);
    TestRunner::new(cases(60))
        .run(&(metric, hours, later), |((metric, unit, least, greatest), hours, later)| {
            let (admin, phone) = &mut *clients.borrow_mut();
            let person = db.sign_up_with(&serde_json::json!({
                "email": format!("{}@example.com", Uuid::new_v4().simple()),
                "raw_user_meta_data": {"timezone": "Asia/Kathmandu"}
            }));
            become_caller(phone, person.caller());
            let mut readings: Vec<Reading> = hours
                .iter()
                .map(|(hour, share)| {
                    let value = least + share * (greatest - least);
                    Reading::daily("healthkit", metric, unit, 0, value).hours(*hour, hour + 1)
                })
                .collect();
            let check = |admin: &mut Client, readings: &[Reading], event: &str| {
                db.run_jobs();
                let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
                for reading in readings.iter().filter(|reading| (least..=greatest).contains(&reading.value)) {
                    let anchor = if metric == "sleep" { reading.end } else { reading.start };
                    days.entry((anchor + AHEAD).div_euclid(DAY)).or_default().push(reading.value);
                }
                let day = |values: Vec<f64>| {
                    let sum: f64 = values.iter().sum();
                    if metric == "weight" { sum / values.len() as f64 } else { sum }
                };
                let expected =
                    Baseline::of(&days.into_iter().map(|(at, values)| (at, day(values))).collect());
                match Baseline::read(admin, person.profile_id, metric) {
                    Some(found) => {
                        prop_assert!(found.is_close_to(&expected), "{event}: {found:?}, not {expected:?}")
                    }
                    None => prop_assert_eq!(expected.days, 0, "{}: nothing found", event),
                }
                Ok(())
            };
            ingest(phone, person.profile_id, &records(&readings)).expect("the history comes in");
            check(admin, &readings, "at first")?;
            for later in later.iter().filter(|_| !hours.is_empty()) {
                if readings.is_empty() {
                    break;
                }
                match later {
                    Later::Correct(nth, share) => {
                        let reading = nth.get(&readings).start;
                        let reading = readings.iter_mut().find(|r| r.start == reading).expect("it is there");
                        reading.value = least + share * (greatest - least);
                        ingest(phone, person.profile_id, &records(std::slice::from_ref(reading)))
                            .expect("comes in");
                    }
                    Later::Delete(nth) => {
                        let gone = readings.remove(nth.index(readings.len()));
                        let sql = "delete from public.wt_health_metrics where start_time = to_timestamp($1)";
                        phone.execute(sql, &[&(gone.start as f64)]).expect("own rows");
                    }
                }
                check(admin, &readings, &format!("{later:?}"))?;
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn calibration_goes_from_pending_to_complete_and_back_with_the_days_there_are() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let mut days = BTreeMap::new();
    assert_eq!(Baseline::read(&mut phone, person.profile_id, "steps"), None);
    for nth in 0..16 {
        // Every other day only: gaps don't count against anybody.
        let day = nth * 2;
        ingest(&mut phone, person.profile_id, &records(&[Reading::steps("garmin", day, 100.0 * nth as f64)]))
            .expect("comes in");
        days.insert(MONDAY / DAY + day, 100.0 * nth as f64);
        let found = steps_of(&db, person);
        assert!(found.is_close_to(&Baseline::of(&days)), "day {nth}: {found:?}");
        assert_eq!(found.complete, nth >= 13);
    }
    while let Some((day, _)) = days.pop_last() {
        let sql = "delete from public.wt_health_metrics where local_date - date 'epoch' = $1";
        phone.execute(sql, &[&(day as i32)]).expect("own rows");
        let found = steps_of(&db, person);
        assert!(found.is_close_to(&Baseline::of(&days)), "without {day}: {found:?}");
    }
    assert_eq!(steps_of(&db, person).status, "pending");
}

#[test]
fn a_local_day_has_23_hours_when_the_clock_goes_forward_and_25_when_it_goes_back() {
    let db = TestDb::new();
    // The first of three local days in UTC, and how long each is. In 2025 Berlin's clocks changed at 01:00 UTC on
    // 30 March and 26 October, Lord Howe's by half an hour on 6 April.
    let cases = [
        ("Europe/Berlin", "2025-03-28T23:00:00Z", [24, 23, 24]),
        ("Europe/Berlin", "2025-10-24T22:00:00Z", [24, 25, 24]),
        ("Australia/Lord_Howe", "2025-04-04T13:00:00Z", [48, 49, 48]),
    ];
    for (nth, (zone, first, lengths)) in cases.into_iter().enumerate() {
        let person = db.sign_up_with(&serde_json::json!({
            "email": format!("{nth}@example.com"), "raw_user_meta_data": {"timezone": zone}
        }));
        let unit = if lengths[0] == 48 { HOUR / 2 } else { HOUR };
        let start = first.parse::<jiff::Timestamp>().expect("a time").as_second();
        // One step in each hour (or half), so that a day's sum is its length.
        let readings: Vec<_> = (0..lengths.iter().sum::<i64>())
            .map(|n| Reading {
                start: start + n * unit,
                end: start + (n + 1) * unit,
                ..Reading::steps("garmin", 0, 1.0)
            })
            .collect();
        ingest(&mut db.api(person.caller()), person.profile_id, &records(&readings)).expect("comes in");
        let day = start.div_euclid(DAY) + 1;
        let days = (0..).zip(lengths).map(|(n, length)| (day + n, length as f64)).collect();
        let found = steps_of(&db, person);
        assert!(found.is_close_to(&Baseline::of(&days)), "{zone} {first}: {found:?}");
    }
}

#[test]
fn a_reading_keeps_the_day_it_came_in_on_when_its_person_moves() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let at = |hour| Reading::steps("garmin", 0, 10.0).hours(hour, hour + 1);
    ingest(&mut phone, person.profile_id, &records(&[at(20)])).expect("comes in");
    phone.execute("update public.wt_users set timezone = 'Asia/Tokyo'", &[]).expect("people move");
    // Twenty in UTC is five the next morning in Tokyo: the first stays where it was, its neighbour is of the next day.
    ingest(&mut phone, person.profile_id, &records(&[at(20), at(21)])).expect("comes in");
    let days = [(MONDAY / DAY, 10.0), (MONDAY / DAY + 1, 10.0)].into();
    let found = steps_of(&db, person);
    assert!(found.is_close_to(&Baseline::of(&days)), "{found:?}");
}

#[test]
fn a_reading_counts_once_it_is_validated_and_only_that_of_the_best_source() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let mut phone = db.api(person.caller());
    let mut come_in = |readings: &[Reading]| {
        ingest(&mut phone, person.profile_id, &records(readings)).expect("comes in");
    };
    let day = |value| Baseline::of(&[(MONDAY / DAY, value)].into());
    come_in(&[Reading::steps("manual", 0, 100.0)]);
    assert!(steps_of(&db, person).is_close_to(&day(100.0)));
    come_in(&[Reading::steps("garmin", 0, 70.0)]);
    assert!(steps_of(&db, person).is_close_to(&day(70.0)), "never the sum of two sources");
    // A correction that is not judged yet changes no baseline that is shown.
    come_in(&[Reading::steps("garmin", 0, 200_000.0)]);
    let shown = Baseline::read(&mut db.admin(), person.profile_id, "steps").expect("there is one");
    assert!(shown.is_close_to(&day(70.0)));
    assert!(steps_of(&db, person).is_close_to(&day(100.0)), "the next best takes over from the rejected");
}

#[test]
fn clients_cannot_write_baselines_and_see_only_their_own() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    ingest(&mut db.api(person.caller()), person.profile_id, &records(&[Reading::steps("garmin", 0, 1.0)]))
        .expect("in");
    let before = steps_of(&db, person);
    let stranger = db.sign_up("eve@example.com");
    for caller in [person.caller(), stranger.caller(), Caller::Anon] {
        let mut client = db.api(caller);
        for statement in [
            "update public.wt_baselines set baseline_value = 1",
            "update public.wt_baselines set is_stale = false",
            "delete from public.wt_baselines",
            "insert into public.wt_baselines (user_id, profile_id, metric_type)
             select gen_random_uuid(), gen_random_uuid(), 'hr'",
        ] {
            assert_eq!(sqlstate(client.execute(statement, &[])), "42501", "{statement} by {caller:?}");
        }
    }
    assert_eq!(Baseline::read(&mut db.api(stranger.caller()), person.profile_id, "steps"), None);
    assert_eq!(steps_of(&db, person), before);
}
