//! Forecasts: what the last thirty days of a metric say about its goal.
//!
//! Promises: a forecast looks at the thirty days up to the run, of the goal's own metric, and says in a status why there is no date.
//! Stops at the line itself: that is the core's, held to Postgres's own regression here.

use crate::days::{date, live, night, reading, values};
use crate::readings::{DAY, HOUR, MONDAY, Reading, counts, ingest, iso};
use postgres::Client;
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::catalogue::{Metric, metrics};
use welltrack_tests::{Person, TestDb};

/// Weights of `days`, as a function of the day.
pub(crate) fn weights(days: std::ops::Range<i64>, weight: impl Fn(i64) -> f64) -> Vec<Reading> {
    days.map(|day| reading("weight", day, weight(day))).collect()
}

/// Inserts a goal as a client would, and answers its id.
pub(crate) fn goal(
    client: &mut Client,
    person: Person,
    metric: &str,
    target: f64,
    unit: &str,
    direction: &str,
) -> Uuid {
    let sql = "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
               values ($1, $2::text::public.wt_metric_type, $3, $4, $5::text::public.wt_goal_direction) returning id";
    client
        .query_one(sql, &[&person.profile_id, &metric, &target, &unit, &direction])
        .expect("the goal is taken")
        .get(0)
}

pub(crate) fn forecast(db: &TestDb, goal_id: Uuid) -> Option<Value> {
    let sql = "select to_jsonb(f) from public.wt_forecasts f where goal_id = $1";
    db.admin().query_opt(sql, &[&goal_id]).expect("forecasts can be read").map(|row| row.get(0))
}

#[test]
fn a_steady_loss_of_weight_meets_its_goal_on_the_day_that_the_line_says() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    // Ten days that don't count any more, then 200 g a day with a little to and fro.
    let weight = |day: i64| {
        if day < 10 { 95.0 } else { 86.0 - 0.2 * day as f64 + [0.1, -0.1][day.rem_euclid(2) as usize] }
    };
    live(&db, ada, &weights(0..40, weight));
    let id = goal(&mut db.api(ada.caller()), ada, "weight", 75.0, "kg", "decrease");
    assert_eq!(night(&db, 39).1, 1);
    let told = forecast(&db, id).expect("there is a forecast");
    assert_eq!(
        (&told["status"], &told["data_points"], &told["as_of"]),
        (&json!("on_track"), &json!(30), &json!(date(39))),
        "{told}"
    );
    assert!((told["current_value"].as_f64().expect("a value") - weight(39)).abs() < 1e-9);

    let line = "select regr_slope(y, x), regr_intercept(y, x), regr_r2(y, x),
                       (date 'epoch' + ceil((75 - regr_intercept(y, x)) / regr_slope(y, x))::integer)::text
                from (select v.weight as y, (v.local_date - date 'epoch')::double precision as x
                      from public.wt_daily_values v
                      where profile_id = $1 and local_date between $2::text::date - 29 and $2::text::date) p";
    let line = db.admin().query_one(line, &[&ada.profile_id, &date(39)]).expect("Postgres draws a line");
    for (n, key) in ["slope_per_day", "intercept", "r_squared"].into_iter().enumerate() {
        let (ours, theirs) = (told[key].as_f64().expect("a number"), line.get::<_, f64>(n));
        assert!((ours - theirs).abs() <= 1e-8 * theirs.abs(), "{key}: {ours}, Postgres {theirs}");
    }
    let (low, projected, high) =
        (told["projected_low"].as_str(), told["projected_date"].as_str(), told["projected_high"].as_str());
    assert!(low <= projected && projected <= high && low.is_some(), "{told}");
    let theirs: String = line.get(3);
    assert_eq!(projected, Some(theirs.as_str()));
    let narrative = told["narrative"].as_str().expect("words");
    assert!(narrative.contains("75") && narrative.contains("kg"), "{narrative}");
    assert_eq!(night(&db, 39), (0, 0), "the same again");
}

#[test]
fn a_status_says_why_there_is_no_date() {
    let db = TestDb::new();
    let to_and_fro = |day: i64| [0.4, -0.3, 0.1, -0.2][day.rem_euclid(4) as usize];
    let shapes: [(&str, Vec<Reading>, f64, &str); 6] = [
        ("reached", weights(0..30, |day| 80.0 - 0.3 * day as f64), 75.0, "decrease"),
        ("not_converging", weights(0..30, |day| 80.0 + 0.1 * day as f64 + to_and_fro(day)), 75.0, "decrease"),
        ("not_converging", weights(0..30, |day| 80.0 + to_and_fro(day)), 75.0, "decrease"),
        ("beyond_horizon", weights(0..30, |day| 80.0 - 0.001 * day as f64), 40.0, "decrease"),
        ("calibrating", weights(10..23, |day| 80.0 - 0.2 * day as f64), 75.0, "decrease"),
        // A long history, but of the last thirty days two only.
        ("too_few_points", weights(-40..2, |day| 80.0 - 0.1 * day as f64), 70.0, "decrease"),
    ];
    for (n, (status, readings, target, direction)) in shapes.into_iter().enumerate() {
        let person = db.sign_up(&format!("p{n}@example.com"));
        live(&db, person, &readings);
        let id = goal(&mut db.api(person.caller()), person, "weight", target, "kg", direction);
        night(&db, 29);
        let told = forecast(&db, id).expect("there is a forecast");
        assert_eq!(told["status"], status, "{n}: {told}");
        assert_eq!(
            (&told["projected_date"], &told["projected_low"]),
            (&Value::Null, &Value::Null),
            "{n}: {told}"
        );
        assert!(told["narrative"].as_str().is_some_and(|words| !words.is_empty()), "{told}");
        if status == "calibrating" {
            assert_eq!(told["slope_per_day"], Value::Null, "no forecast before the baseline: {told}");
        }
    }
}

/// Every metric with a plausible value, each another share of its range, and its unit.
fn values_of_metrics(db: &TestDb) -> Vec<(&'static str, f64, &'static str)> {
    let base = |(n, metric): (u32, Metric)| {
        let share = 0.3 + 0.01 * f64::from(n);
        (metric.label, metric.least + share * (metric.greatest - metric.least), metric.unit)
    };
    (0..).zip(metrics(&mut db.admin())).map(base).collect()
}

#[test]
fn every_metric_is_summed_up_and_forecast_as_itself() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    let value = |base: f64, day: i64| base * (1.0 + 0.001 * day as f64);
    let metrics = values_of_metrics(&db);
    for &(metric, base, unit) in &metrics {
        let records: Vec<Value> = (0..20)
            .map(|day| {
                let start = MONDAY + day * DAY;
                let (from, to) = if metric == "sleep" { (0, 8) } else { (0, 24) };
                let value = match metric {
                    "blood_pressure" => json!({"systolic": value(base, day), "diastolic": 70}),
                    _ => json!(value(base, day)),
                };
                json!({"source": "garmin", "type": metric, "value": value, "unit": unit,
                       "start_time": iso(start + from * HOUR), "end_time": iso(start + to * HOUR)})
            })
            .collect();
        let answer = ingest(&mut client, ada.profile_id, &json!(records)).expect("the batch is taken");
        assert_eq!(counts(&answer), [20, 0, 0, 0, 0], "{metric}: {answer}");
    }
    db.run_jobs();
    let goals: Vec<_> = metrics
        .iter()
        .map(|(metric, base, unit)| goal(&mut client, ada, metric, base * 1.01, unit, "decrease"))
        .collect();
    night(&db, 19);
    let last = values(&db, ada)[&date(19)].clone();
    for ((metric, base, _), goal) in metrics.into_iter().zip(goals) {
        let close =
            |found: &Value| found.as_f64().is_some_and(|found| (found - value(base, 19)).abs() < 1e-9);
        assert!(close(&last[metric]), "{metric}: {last}");
        let told = forecast(&db, goal).expect("there is a forecast");
        assert_eq!(
            (told["metric_type"].as_str(), told["data_points"].as_i64()),
            (Some(metric), Some(20)),
            "{told}"
        );
        assert!(close(&told["current_value"]), "{metric}: {told}");
        let slope = told["slope_per_day"].as_f64().expect("a slope");
        assert!((slope - 0.001 * base).abs() < 1e-9, "{metric}: {told}");
    }
}

#[test]
fn one_wild_reading_that_validation_lets_through_widens_a_forecast_and_breaks_nothing() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    live(&db, ada, &weights(0..30, |day| 80.0 - 0.2 * day as f64));
    let id = goal(&mut client, ada, "weight", 70.0, "kg", "decrease");
    night(&db, 29);
    let calm = forecast(&db, id).expect("there is a forecast");
    assert_eq!(calm["status"], "on_track");
    // Somebody else stood on the scales: plausible for a person, if not for this one.
    live(&db, ada, &[reading("weight", 12, 299.0)]);
    night(&db, 29);
    let wild = forecast(&db, id).expect("there is a forecast");
    assert_eq!(wild["data_points"], 30, "it counts: {wild}");
    assert_eq!(wild["status"], "not_converging", "{wild}");
    assert!(wild["r_squared"].as_f64().expect("a number") < 0.1, "{wild}");
    assert_eq!((&wild["projected_date"], &wild["current_value"]), (&Value::Null, &calm["current_value"]));
    assert!(
        wild["narrative"].as_str().is_some_and(|said| said.contains("hasn't shown a clear trend")),
        "{wild}"
    );
}
