//! On which local day readings count: where clocks change, in leap years, and for people who travel.
//!
//! Promises: each reading counts on one day, the one that was local when it came in, told from the zone's offsets that are written
//! down here and not asked of a zone database; no day is doubled or lost, in daily values and in scores. Stops at workouts (`loads`)
//! and at baselines (`baselines`).

use crate::days::{date, live, night, reading, scores, send, values};
use crate::readings::{DAY, HOUR, MONDAY, Reading, iso};
use serde_json::json;
use std::collections::BTreeMap;
use welltrack_tests::{Person, TestDb};

/// A zone whose offset to UTC changes at an instant, in seconds.
#[derive(Clone, Copy)]
struct Zone {
    name: &'static str,
    before: i64,
    change: &'static str,
    after: i64,
}

const fn fixed(name: &'static str, offset: i64) -> Zone {
    Zone { name, before: offset, change: "2024-01-01T00:00:00Z", after: offset }
}

impl Zone {
    fn instant(&self) -> i64 {
        self.change.parse::<jiff::Timestamp>().expect("an instant").as_second()
    }

    /// Seconds since 1970 on the clock on the wall.
    fn local(&self, at: i64) -> i64 {
        at + if at < self.instant() { self.before } else { self.after }
    }

    fn day(&self, at: i64) -> String {
        iso(self.local(at))[..10].to_owned()
    }
}

/// The year's changes of Berlin and of Lord Howe (half an hour), and the day that Samoa went without.
const CHANGES: [Zone; 5] = [
    Zone { name: "Europe/Berlin", before: HOUR, change: "2025-03-30T01:00:00Z", after: 2 * HOUR },
    Zone { name: "Europe/Berlin", before: 2 * HOUR, change: "2025-10-26T01:00:00Z", after: HOUR },
    Zone {
        name: "Australia/Lord_Howe",
        before: 11 * HOUR,
        change: "2025-04-05T15:00:00Z",
        after: 21 * HOUR / 2,
    },
    Zone { name: "America/New_York", before: -5 * HOUR, change: "2024-03-10T07:00:00Z", after: -4 * HOUR },
    Zone { name: "Pacific/Apia", before: -10 * HOUR, change: "2011-12-30T10:00:00Z", after: 14 * HOUR },
];

fn sign_up(db: &TestDb, name: &str, zone: &Zone) -> Person {
    db.sign_up_with(
        &json!({"email": format!("{name}@example.com"), "raw_user_meta_data": {"timezone": zone.name}}),
    )
}

fn travel(db: &TestDb, person: Person, zone: &Zone) {
    let sql = "update public.wt_users set timezone = $1";
    assert_eq!(db.api(person.caller()).execute(sql, &[&zone.name]).expect("people move"), 1);
}

/// One reading of `value` steps in each half hour, `hours` before and after `middle`.
fn half_hours(middle: i64, hours: i64, value: f64) -> Vec<Reading> {
    let half = HOUR / 2;
    let from = middle - hours * HOUR;
    (0..4 * hours)
        .map(|n| Reading {
            start: from + n * half,
            end: from + (n + 1) * half,
            ..Reading::steps("garmin", 0, value)
        })
        .collect()
}

/// The sum of the steps of each day, as `zone` counts days.
fn by_day(readings: &[Reading], zone: &Zone) -> BTreeMap<String, f64> {
    let mut days = BTreeMap::new();
    for reading in readings {
        *days.entry(zone.day(reading.start)).or_insert(0.0) += reading.value;
    }
    days
}

fn steps(db: &TestDb, person: Person) -> BTreeMap<String, f64> {
    let steps = |row: serde_json::Value| row["steps"].as_f64();
    values(db, person).into_iter().filter_map(|(day, row)| Some((day, steps(row)?))).collect()
}

#[test]
fn every_half_hour_counts_once_on_days_that_are_longer_shorter_or_missing() {
    let db = TestDb::new();
    for (n, zone) in CHANGES.iter().enumerate() {
        let ada = sign_up(&db, &format!("p{n}"), zone);
        let readings = half_hours(zone.instant(), 60, 1.0);
        live(&db, ada, &readings);
        let expected = by_day(&readings, zone);
        let whole: Vec<f64> = expected.values().copied().skip(1).take(expected.len() - 2).collect();
        assert!(
            zone.name == "Pacific/Apia" || whole.iter().any(|halves| *halves != 48.0),
            "{}: {whole:?}",
            zone.name
        );
        assert_eq!(steps(&db, ada), expected, "{} {}", zone.name, zone.change);
    }
}

#[test]
fn a_night_in_which_the_clock_changes_is_the_sleep_of_the_morning_after_it() {
    let db = TestDb::new();
    for (n, zone) in CHANGES.iter().enumerate() {
        let ada = sign_up(&db, &format!("p{n}"), zone);
        // Awake at six on the clock, after seven hours in bed, on three mornings.
        let six = zone.instant() - zone.local(zone.instant()).rem_euclid(DAY) + 6 * HOUR;
        let nights: Vec<Reading> = [-1, 0, 1]
            .map(|morning| {
                let end = six + morning * DAY;
                Reading { start: end - 7 * HOUR, end, ..reading("sleep", 0, 400.0 + morning as f64) }
            })
            .to_vec();
        live(&db, ada, &nights);
        let expected: BTreeMap<_, _> =
            nights.iter().map(|night| (zone.day(night.end), night.value)).collect();
        assert_eq!(expected.len(), 3);
        let slept =
            values(&db, ada).into_iter().map(|(day, row)| (day, row["sleep"].as_f64().expect("a night")));
        assert_eq!(slept.collect::<BTreeMap<_, _>>(), expected, "{} {}", zone.name, zone.change);
    }
}

#[test]
fn a_leap_day_is_a_day_like_every_other_for_values_scores_and_windows() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    // 29 February 2024, by days from Monday.
    let leap = (1_709_164_800 - MONDAY) / DAY;
    assert_eq!(date(leap), "2024-02-29");
    let plain: Vec<Reading> = (leap - 20..=leap + 7)
        .flat_map(|day| {
            [reading("sleep", day, 420.0), reading("hr", day, 60.0), reading("active_minutes", day, 30.0)]
        })
        .collect();
    live(&db, ada, &plain);
    night(&db, leap + 7);
    let expected: Vec<String> = (leap - 20..=leap + 7).map(date).collect();
    assert_eq!(expected.iter().filter(|day| day.starts_with("2024-02-29")).count(), 1);
    assert_eq!(values(&db, ada).into_keys().collect::<Vec<_>>(), expected);
    let scored = scores(&db, ada);
    assert_eq!(scored.keys().cloned().collect::<Vec<_>>(), expected);
    // The week that ends on the sixth of March has the leap day in it, the one after has not.
    let week = |day| scored[&date(day)]["raw_data"]["load_7d"].as_f64();
    assert_eq!((week(leap + 6), week(leap + 7)), (Some(840.0), Some(840.0)));
    db.api(ada.caller())
        .execute("delete from public.wt_health_metrics where local_date = '2024-02-29'", &[])
        .expect("own rows");
    db.run_jobs();
    night(&db, leap + 7);
    let scored = scores(&db, ada);
    let week = |day| scored[&date(day)]["raw_data"]["load_7d"].as_f64();
    assert_eq!((week(leap + 6), week(leap + 7)), (Some(720.0), Some(840.0)));
}

#[test]
fn whoever_travels_keeps_the_past_and_counts_what_comes_in_by_the_new_clock() {
    let db = TestDb::new();
    let (los_angeles, tokyo) = (fixed("America/Los_Angeles", -8 * HOUR), fixed("Asia/Tokyo", 9 * HOUR));
    // In January, when neither changes its clock. The flight goes at noon in UTC, westwards and eastwards over the date line.
    let noon = 1_736_424_000;
    for (n, (from, to)) in [(los_angeles, tokyo), (tokyo, los_angeles)].iter().enumerate() {
        let ada = sign_up(&db, &format!("p{n}"), from);
        let all = half_hours(noon, 50, 10.0);
        let (before, after) = all.split_at(all.len() / 2);
        live(&db, ada, before);
        travel(&db, ada, to);
        assert_eq!(steps(&db, ada), by_day(before, from), "moving alone moves nothing");
        // The phone sends all of it again, as phones do.
        live(&db, ada, &all);
        let mut expected = by_day(before, from);
        for (day, sum) in by_day(after, to) {
            *expected.entry(day).or_insert(0.0) += sum;
        }
        assert_eq!(steps(&db, ada), expected, "{} to {}", from.name, to.name);
        assert_eq!(steps(&db, ada).values().sum::<f64>(), 2_000.0, "none doubled, none lost");

        // A correction of what came in before the flight stays on its day as well.
        let corrected = Reading { value: 25.0, ..before[0].clone() };
        live(&db, ada, &[corrected]);
        *expected.get_mut(&from.day(before[0].start)).expect("a day of hers") += 15.0;
        assert_eq!(steps(&db, ada), expected);
    }
}

#[test]
fn a_person_who_moves_has_one_score_for_each_of_their_days() {
    let db = TestDb::new();
    let (honolulu, auckland) = (fixed("Pacific/Honolulu", -10 * HOUR), fixed("Pacific/Auckland", 12 * HOUR));
    let ada = sign_up(&db, "ada", &honolulu);
    // Twenty evenings in Honolulu, then twenty in Auckland: readings at 22:00 on the clock where she is.
    let evening = |zone: &Zone, day: i64| {
        let start = MONDAY + day * DAY + 22 * HOUR - zone.after;
        [("stress", 30.0), ("hr", 60.0)].map(|(metric, value)| Reading {
            start,
            end: start + HOUR,
            ..reading(metric, day, value)
        })
    };
    // In June: no clock changes in Auckland between April and September.
    let june = 100;
    let at_home: Vec<Reading> = (june..june + 20).flat_map(|day| evening(&honolulu, day)).collect();
    let away: Vec<Reading> = (june + 20..june + 40).flat_map(|day| evening(&auckland, day)).collect();
    send(&db, ada, &at_home);
    travel(&db, ada, &auckland);
    live(&db, ada, &away);
    night(&db, june + 40);
    let days: Vec<String> = (june..june + 40).map(date).collect();
    assert_eq!(values(&db, ada).into_keys().collect::<Vec<_>>(), days);
    let scored = scores(&db, ada);
    assert_eq!(scored.keys().cloned().collect::<Vec<_>>(), days);
    assert_eq!(scored[&date(june + 39)]["raw_data"]["input_days"], 31);
}
