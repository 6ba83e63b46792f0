//! Recovery scores, from the readings to the row.
//!
//! Promises: every row equals an oracle that shares no code with the database, for gappy histories that come in any order, in
//! any portions, with engine runs in between, and lose readings again; single cases computed by hand say what that means.
//! Stops at numbers: who runs what when is in `engine_runs`.

use crate::days::{date, live, night, plain_days, reading, scores, send};
use crate::readings::cases;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

/// A day's stress, sleep in minutes, resting heart rate and active minutes, where measured.
type Day = [Option<f64>; 4];

/// What the flow's formula says of day `d`, written down once more: status, days missing, components, score.
#[derive(Debug, PartialEq)]
struct Expected {
    status: &'static str,
    days_missing: usize,
    components: [Option<f64>; 4],
    score: Option<f64>,
}

fn oracle(days: &BTreeMap<i64, Day>, d: i64, target_hours: f64) -> Option<Expected> {
    let value = |metric: usize, day: i64| days.get(&day).and_then(|day| day[metric]);
    let load = |day: i64| value(3, day).map(|minutes| minutes * 4.0);
    let week: Vec<f64> = (d - 6..=d).filter_map(load).collect();
    let acute = (!week.is_empty()).then(|| week.iter().sum::<f64>());
    if (0..3).all(|metric| value(metric, d).is_none()) && acute.is_none() {
        return None;
    }
    let stress = value(0, d).map(|stress| (100.0 - stress).clamp(0.0, 100.0));
    let sleep = value(1, d).map(|minutes| (minutes / 60.0 / target_hours * 100.0).clamp(0.0, 100.0));
    let before: Vec<f64> = days.range(..d).rev().filter_map(|(_, day)| day[2]).take(14).collect();
    let hr = value(2, d).filter(|_| before.len() == 14).map(|hr| {
        let mean = before.iter().sum::<f64>() / 14.0;
        let spread = (before.iter().map(|beat| (beat - mean).powi(2)).sum::<f64>() / 13.0).sqrt();
        100.0 / (1.0 + (1.702 * (hr - mean) / spread.max(1.0)).exp())
    });
    let known = (d - 28..d).find(|day| load(*day).is_some()).map_or(0, |first| d - first);
    let usual = 7.0 * (d - 28..d).filter_map(load).sum::<f64>() / known as f64;
    let load =
        acute.filter(|_| known >= 14 && usual > 0.0).map(|acute| (acute / usual * 100.0).clamp(0.0, 100.0));

    let components = [stress, sleep, hr, load];
    let parts: Vec<(f64, f64)> =
        [0.25, 0.30, 0.20, 0.25].into_iter().zip(components).filter_map(|(w, c)| Some((w, c?))).collect();
    let input_days = days.range(..=d).filter(|(_, day)| day.iter().any(Option::is_some)).count();
    let (status, score) = match (input_days < 14, parts.len() < 2) {
        (true, _) => ("calibrating", None),
        (false, true) => ("insufficient", None),
        (false, false) => {
            let share: f64 = parts.iter().map(|(weight, _)| weight).sum();
            ("scored", Some(parts.iter().map(|(weight, component)| weight * component).sum::<f64>() / share))
        }
    };
    Some(Expected { status, days_missing: 14_usize.saturating_sub(input_days), components, score })
}

/// Why a row is not what was expected.
fn difference(row: Option<&Value>, expected: Option<&Expected>) -> Option<String> {
    let close = |left: &Value, right: Option<f64>| match (left.as_f64(), right) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-9,
        (left, right) => left == right,
    };
    let same = match (row, expected) {
        (None, None) => true,
        (Some(row), Some(expected)) => {
            let missing: Vec<&str> = ["stress", "sleep", "hr", "load"]
                .into_iter()
                .zip(expected.components)
                .filter_map(|(name, component)| component.is_none().then_some(name))
                .collect();
            row["status"] == expected.status
                && row["days_missing"] == expected.days_missing
                && close(&row["stress_component"], expected.components[0])
                && close(&row["sleep_component"], expected.components[1])
                && close(&row["hr_component"], expected.components[2])
                && close(&row["load_component"], expected.components[3])
                && close(&row["recovery_score"], expected.score)
                && row["missing_inputs"] == json!(missing)
                && row["formula_version"] == "1"
        }
        _ => false,
    };
    (!same).then(|| format!("{row:?} where {expected:?} was expected"))
}

fn assert_scores(db: &TestDb, person: Person, days: &BTreeMap<i64, Day>, until: i64, target_hours: f64) {
    let rows = scores(db, person);
    let wrong: Vec<String> = (-2..=until + 40)
        .filter_map(|d| {
            let expected = oracle(days, d, target_hours).filter(|_| d <= until);
            Some(format!("{}: {}", date(d), difference(rows.get(&date(d)), expected.as_ref())?))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const METRICS: [&str; 4] = ["stress", "sleep", "hr", "active_minutes"];
/// Long enough for histories whose months have fewer than fourteen days.
const LAST: i64 = 120;

/// What happens between the readings.
#[derive(Clone, Debug)]
enum Event {
    Jobs,
    Engine(i64),
    Delete(prop::sample::Index),
}

#[test]
fn scores_equal_an_independent_computation_whatever_came_when() {
    let db = TestDb::new();
    let value = |range: std::ops::Range<f64>| {
        prop::option::weighted(0.85, range.prop_map(|x| (x * 8.0).round() / 8.0))
    };
    let day = (value(0.0..100.0), value(200.0..600.0), value(45.0..75.0), value(0.0..120.0));
    let event = prop_oneof![
        3 => Just(Event::Jobs),
        2 => (10..=LAST).prop_map(Event::Engine),
        2 => any::<prop::sample::Index>().prop_map(Event::Delete),
    ];
    let world = (
        prop::collection::btree_map(0..=LAST, day, 0..45),
        any::<u64>(),
        prop::collection::vec((1..60_usize, event), 0..6),
    );
    TestRunner::new(cases(40))
        .run(&world, |(days, seed, events)| {
            let person = db.sign_up(&format!("{}@example.com", Uuid::new_v4().simple()));
            let mut days: BTreeMap<i64, Day> =
                days.into_iter().map(|(d, (stress, sleep, hr, active))| (d, [stress, sleep, hr, active])).collect();
            let mut arriving: Vec<(i64, usize)> =
                days.iter().flat_map(|(d, day)| (0..4).filter(|m| day[*m].is_some()).map(|m| (*d, m))).collect();
            // Any order, but the same for the same seed.
            arriving.sort_by_key(|(d, m)| (*d as u64 * 4 + *m as u64 + 1).wrapping_mul(seed | 1).rotate_left(29));
            let mut arrived: Vec<(i64, usize)> = Vec::new();
            let mut some = |count: usize, arrived: &mut Vec<(i64, usize)>, days: &BTreeMap<i64, Day>| {
                let portion: Vec<_> = arriving.drain(..count.min(arriving.len())).collect();
                let readings: Vec<_> =
                    portion.iter().map(|(d, m)| reading(METRICS[*m], *d, days[d][*m].expect("chosen"))).collect();
                if !readings.is_empty() {
                    send(&db, person, &readings);
                }
                arrived.extend(portion);
            };
            for (count, event) in events {
                some(count, &mut arrived, &days);
                match event {
                    Event::Jobs => drop(db.run_jobs()),
                    Event::Engine(as_of) => drop(night(&db, as_of)),
                    Event::Delete(nth) if !arrived.is_empty() => {
                        let (d, m) = arrived.remove(nth.index(arrived.len()));
                        days.get_mut(&d).expect("it was sent")[m] = None;
                        let gone = db.api(person.caller()).execute(
                            "delete from public.wt_health_metrics where metric_type::text = $1 and local_date = $2::text::date",
                            &[&METRICS[m], &date(d)],
                        );
                        assert_eq!(gone.expect("own rows"), 1);
                    }
                    Event::Delete(_) => {}
                }
            }
            some(usize::MAX, &mut arrived, &days);
            db.run_jobs();
            night(&db, LAST);
            assert_scores(&db, person, &days, LAST, 8.0);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_plain_person_scores_what_the_formula_says_by_hand() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..31));
    assert_eq!(night(&db, 30).0, 31);
    let rows = scores(&db, ada);
    let row = &rows[&date(30)];
    // Stress 30; 7 of 8 hours; 60 beats where seven mornings had 60 and seven 58; as much effort as in all weeks before.
    let hr = 100.0 / (1.0 + f64::exp(1.702 * 1.0 / (14.0_f64 / 13.0).sqrt()));
    assert_eq!(row["stress_component"], 70.0);
    assert_eq!(row["sleep_component"], 87.5);
    assert!((row["hr_component"].as_f64().expect("a component") - hr).abs() < 1e-12, "{row}");
    assert_eq!(row["load_component"], 100.0);
    let score =
        0.25 * 70.0 + 0.30 * 87.5 + 0.20 * row["hr_component"].as_f64().expect("a component") + 0.25 * 100.0;
    assert_eq!(row["recovery_score"].as_f64(), Some(score), "exactly, when all four are there");
    assert_eq!(row["weights_used"], json!({"stress": 0.25, "sleep": 0.30, "hr": 0.20, "load": 0.25}));
    assert_eq!((&row["status"], &row["missing_inputs"]), (&json!("scored"), &json!([])));
    assert_eq!(row["raw_data"]["load_7d"], 840.0);
    assert_eq!(row["raw_data"]["hr_baseline_bpm"], 59.0);

    // The first thirteen days are calibration, and say how long it takes.
    for day in 0..13 {
        let row = &rows[&date(day)];
        assert_eq!(
            (&row["status"], &row["days_missing"]),
            (&json!("calibrating"), &json!(13 - day)),
            "{row}"
        );
        assert_eq!(row["recovery_score"], Value::Null);
    }
    assert_eq!(rows[&date(13)]["missing_inputs"], json!(["hr", "load"]));
}

#[test]
fn what_is_missing_leaves_its_weight_to_the_rest_and_one_component_is_too_few() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut readings = plain_days(0..20);
    readings.push(reading("sleep", 20, 480.0));
    readings.push(reading("stress", 20, 40.0));
    // Ten days on, the week's load is unknown.
    readings.push(reading("sleep", 30, 480.0));
    live(&db, ada, &readings);
    night(&db, 30);
    let rows = scores(&db, ada);
    let row = &rows[&date(20)];
    // The load of the week is that of six days of seven; there is no heart rate.
    let load = 6.0 / 7.0 * 100.0;
    let score = (0.25 * 60.0 + 0.30 * 100.0 + 0.25 * load) / 0.80;
    assert!((row["recovery_score"].as_f64().expect("a score") - score).abs() < 1e-9, "{row}");
    assert_eq!(row["missing_inputs"], json!(["hr"]));
    let weights = row["weights_used"].as_object().expect("an object");
    let total: f64 = weights.values().filter_map(Value::as_f64).sum();
    assert!((total - 1.0).abs() < 1e-12 && !weights.contains_key("hr"), "{weights:?}");

    let alone = &rows[&date(30)];
    assert_eq!(
        (&alone["status"], &alone["recovery_score"]),
        (&json!("insufficient"), &Value::Null),
        "{alone}"
    );
    assert_eq!(alone["sleep_component"], 100.0);
    assert_eq!(alone["missing_inputs"], json!(["stress", "hr", "load"]));
    // Load reaches six days on; days that nothing reaches have no row.
    assert!(rows.contains_key(&date(25)) && !rows.contains_key(&date(26)), "{:?}", rows.keys());
}

#[test]
fn another_sleep_target_scores_all_days_anew() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    live(&db, ada, &plain_days(0..20));
    night(&db, 19);
    client
        .execute("update public.wt_profiles set sleep_target_hours = 7", &[])
        .expect("it is hers to choose");
    night(&db, 19);
    assert!(scores(&db, ada).values().all(|row| row["sleep_component"] == 100.0));
    for hours in [3.9, 14.1, f64::NAN, f64::INFINITY, -8.0] {
        let tried = client.execute("update public.wt_profiles set sleep_target_hours = $1", &[&hours]);
        assert_eq!(sqlstate(tried), "23514", "{hours}");
    }
}

#[test]
fn the_explanation_says_what_the_row_says_and_why() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"));
    live(&db, ada, &plain_days(0..31));
    let explain = |caller, day: Option<String>| -> Result<Value, postgres::Error> {
        let sql = "select public.explain_recovery($1, $2::text::date)";
        Ok(db.api(caller).query_one(sql, &[&ada.profile_id, &day])?.get(0))
    };
    // Before the engine ever ran, and after it.
    for scored in [false, true] {
        for caller in [ada.caller(), Caller::Service] {
            let why = explain(caller, Some(date(30))).expect("she may ask");
            assert_eq!(why["scored_at"].is_null(), !scored);
            assert_eq!((&why["status"], &why["days_missing"]), (&json!("scored"), &json!(0)));
            let names: Vec<&Value> =
                why["components"].as_array().expect("a list").iter().map(|c| &c["name"]).collect();
            assert_eq!(names, ["stress", "sleep", "hr", "load"]);
            assert_eq!(why["components"][1]["value"], 87.5);
            assert_eq!(why["components"][1]["weight"], 0.30);
            for (part, formula) in
                why["components"].as_array().expect("a list").iter().zip(["100 - ", "hours", "exp(", "load"])
            {
                let says = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
                assert!(says("formula").contains(formula) && !says("source").is_empty(), "{part}");
                assert_eq!(part["weight_used"], why["weights_used"][says("name")], "{part}");
            }
            assert_eq!(why["inputs"]["sleep_minutes"], 420.0);
            assert_eq!(why["baselines"]["hr_baseline_bpm"], 59.0);
            if scored {
                let row = &scores(&db, ada)[&date(30)];
                for key in ["recovery_score", "weights_used", "missing_inputs", "status", "formula_version"] {
                    assert_eq!(why[key], row[key], "{key}");
                }
            }
        }
        night(&db, 30);
    }
    let nothing = explain(ada.caller(), Some(date(90))).expect("she may ask");
    assert_eq!((&nothing["status"], &nothing["recovery_score"]), (&json!("no_data"), &Value::Null));
    assert_eq!(nothing["missing_inputs"], json!(["stress", "sleep", "hr", "load"]));
    assert_eq!(explain(ada.caller(), None).expect("today")["status"], "no_data");
    assert_eq!(sqlstate(explain(eve.caller(), Some(date(30)))), "PT404");
    assert_eq!(sqlstate(explain(Caller::Anon, Some(date(30)))), "42501");
}
