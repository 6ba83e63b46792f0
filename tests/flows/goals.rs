//! Goals, and the home screen that shows them.
//!
//! Promises: a goal is kept in canonical units whatever door it comes by, one at a time for a metric; its forecast follows it;
//! what nobody could mean is refused with a hint; all of it is the person's own. Stops at what a forecast says: that is in `forecasts`.

use crate::days::{date, live, night, plain_days, reading};
use crate::forecasts::{forecast, goal, weights};
use crate::readings::{DAY, HOUR, MONDAY, Reading};
use postgres::Client;
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

#[test]
fn a_forecast_follows_its_goal() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    live(&db, ada, &weights(0..30, |day| 80.0 - 0.1 * day as f64));
    let id = goal(&mut client, ada, "weight", 70.0, "kg", "decrease");
    night(&db, 29);
    assert_eq!(forecast(&db, id).expect("one")["target_value"], 70.0);
    // Another target: what was said of the old one is gone at once, and said anew by the next run.
    client
        .execute("update public.wt_goals set target_value = 165.3466966, unit = 'lb'", &[])
        .expect("her goal");
    assert!(forecast(&db, id).is_none());
    assert_eq!(night(&db, 29).1, 1);
    let told = forecast(&db, id).expect("one");
    assert!((told["target_value"].as_f64().expect("a number") - 75.0).abs() < 1e-6, "{told}");
    // An earlier day says nothing about what a later one has said, not even after a late reading.
    live(&db, ada, &[Reading { value: 78.0, ..reading("weight", 15, 78.5) }]);
    assert_eq!(night(&db, 20).1, 0);
    assert_eq!(forecast(&db, id).expect("one")["as_of"], date(29));
    // The window moves on, and what has left it no longer counts.
    assert_eq!(night(&db, 50).1, 1);
    assert_eq!(forecast(&db, id).expect("one")["data_points"], 9);
    night(&db, 60);
    assert_eq!(forecast(&db, id).expect("one")["status"], "too_few_points");
    client.execute("update public.wt_goals set is_active = false", &[]).expect("her goal");
    assert!(forecast(&db, id).is_none());
    assert_eq!(night(&db, 61).1, 0);
    client.execute("delete from public.wt_goals", &[]).expect("her goal");
}

/// Weights of the thirty days up to today, as a function of the day's distance.
fn recent_weights(db: &TestDb, person: Person, weight: impl Fn(i64) -> f64) {
    let sql = "select floor(extract(epoch from now()) / 86400)::bigint * 86400";
    let today: i64 = db.admin().query_one(sql, &[]).expect("a clock").get(0);
    let readings: Vec<Reading> =
        (-29..=-1).map(|ago| reading("weight", (today - MONDAY) / DAY + ago, weight(ago))).collect();
    live(db, person, &readings);
}

fn set_goal(client: &mut Client, arguments: &Value) -> Result<Value, postgres::Error> {
    let sql =
        "select public.set_goal((g ->> 'profile_id')::uuid, (g ->> 'metric_type')::public.wt_metric_type,
                                      (g ->> 'target_value')::double precision, g ->> 'unit',
                                      (g ->> 'direction')::public.wt_goal_direction, (g ->> 'deadline')::date)
               from (select $1::jsonb as g) a";
    Ok(client.query_one(sql, &[arguments])?.get(0))
}

#[test]
fn setting_a_goal_converts_derives_replaces_and_forecasts_at_once() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    recent_weights(&db, ada, |ago| 80.0 - 0.1 * ago as f64);
    let in_pounds = json!({"profile_id": ada.profile_id, "metric_type": "weight", "target_value": 165.3466966, "unit": "lb"});
    let first = set_goal(&mut client, &in_pounds).expect("a goal of hers");
    assert!((first["goal"]["target_value"].as_f64().expect("a number") - 75.0).abs() < 1e-6, "{first}");
    assert_eq!((&first["goal"]["unit"], &first["goal"]["direction"]), (&json!("kg"), &json!("decrease")));
    assert!((first["goal"]["current_value"].as_f64().expect("the latest") - 80.1).abs() < 1e-9, "{first}");
    assert_eq!(first["forecast"]["status"], "on_track", "{first}");
    assert_eq!(first["forecast"]["goal_id"], first["goal"]["id"]);

    let upwards = json!({"profile_id": ada.profile_id, "metric_type": "weight", "target_value": 90, "deadline": "2099-12-31"});
    let second = set_goal(&mut client, &upwards).expect("another goal for the same metric");
    assert_eq!(second["goal"]["id"], first["goal"]["id"], "it replaces the active one");
    assert_eq!(
        (&second["goal"]["direction"], &second["forecast"]["status"]),
        (&json!("increase"), &json!("not_converging"))
    );

    let downwards = json!({"profile_id": ada.profile_id, "metric_type": "weight", "target_value": 90, "direction": "decrease"});
    let there = set_goal(&mut client, &downwards).expect("a goal that is reached already");
    assert_eq!(there["forecast"]["status"], "reached", "{there}");
    assert!(there["forecast"]["narrative"].as_str().is_some_and(|said| said.contains("reached")), "{there}");

    let id = second["goal"]["id"].as_str().expect("an id").parse::<Uuid>().expect("an id");
    for _ in 0..2 {
        let sql = "select public.end_goal($1)";
        let ended: Value = client.query_one(sql, &[&id]).expect("it ends").get(0);
        assert_eq!(ended["goal"]["is_active"], false);
    }
    assert!(forecast(&db, id).is_none());
    let third = set_goal(&mut client, &upwards).expect("a new one");
    assert_ne!(third["goal"]["id"], first["goal"]["id"]);
    let by_service =
        set_goal(&mut db.api(Caller::Service), &in_pounds).expect("the service acts for anybody");
    assert_eq!(by_service["goal"]["user_id"], json!(ada.user_id));
}

#[test]
fn a_date_after_the_deadline_is_late_until_one_of_them_moves() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    live(&db, ada, &weights(0..40, |day| 80.0 - 0.1 * day as f64 + [0.1, -0.1][day.rem_euclid(2) as usize]));
    let id = goal(&mut client, ada, "weight", 75.0, "kg", "decrease");
    night(&db, 39);
    let projected = forecast(&db, id).expect("one")["projected_date"].as_str().expect("a date").to_owned();
    for (days, status, words) in
        [(0, "on_track", "within your deadline"), (-1, "late", "after your deadline")]
    {
        client
            .execute(
                "update public.wt_goals set deadline = $1::text::date + $2::integer",
                &[&projected, &days],
            )
            .expect("her goal");
        assert_eq!(night(&db, 39).1, 1, "a deadline is part of the goal");
        let told = forecast(&db, id).expect("one");
        assert_eq!(
            (told["status"].as_str(), told["projected_date"].as_str()),
            (Some(status), Some(&*projected))
        );
        assert!(told["narrative"].as_str().is_some_and(|said| said.contains(words)), "{told}");
    }
}

/// A zone in which it is about noon now.
fn zone_at_noon(db: &TestDb) -> String {
    let sql = "select extract(hour from now() at time zone 'UTC')::integer";
    match 12 - db.admin().query_one(sql, &[]).expect("a clock").get::<_, i32>(0) {
        // Zones of this family are named by the way back to Greenwich.
        east @ 0.. => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

#[test]
fn today_counts_for_what_is_measured_at_once_and_not_yet_for_what_adds_up() {
    let db = TestDb::new();
    let zone = zone_at_noon(&db);
    let ada = db.sign_up_with(&json!({"email": "ada@example.com", "raw_user_meta_data": {"timezone": zone}}));
    let mut client = db.api(ada.caller());
    let midnight =
        "select extract(epoch from (now() at time zone $1)::date::timestamp at time zone $1)::bigint";
    let midnight: i64 = client.query_one(midnight, &[&zone]).expect("a clock").get(0);
    // Whole days until yesterday, and the hours after midnight of today.
    let on = |day: i64, metric: &'static str, value: f64| {
        let start = midnight + day * DAY;
        Reading { start, end: start + if day == 0 { HOUR } else { DAY }, ..reading(metric, 0, value) }
    };
    let mut readings: Vec<Reading> =
        (-29..0).map(|day| on(day, "steps", 8_000.0 + 100.0 * day as f64)).collect();
    readings.extend((-29..0).map(|day| on(day, "weight", 80.0 - 0.1 * day as f64)));
    readings.extend([on(0, "steps", 150.0), on(0, "weight", 79.5)]);
    live(&db, ada, &readings);
    let ask = |client: &mut Client, metric: &str, target: f64| {
        let asked = json!({"profile_id": ada.profile_id, "metric_type": metric, "target_value": target});
        set_goal(client, &asked).expect("a goal of hers")
    };
    let steps = ask(&mut client, "steps", 10_000.0);
    assert_eq!(
        (
            &steps["goal"]["current_value"],
            &steps["forecast"]["current_value"],
            &steps["forecast"]["data_points"]
        ),
        (&json!(7_900), &json!(7_900), &json!(29)),
        "{steps}"
    );
    assert!((steps["forecast"]["slope_per_day"].as_f64().expect("a slope") - 100.0).abs() < 1e-6, "{steps}");
    let weight = ask(&mut client, "weight", 75.0);
    assert_eq!(
        (
            &weight["goal"]["current_value"],
            &weight["forecast"]["current_value"],
            &weight["forecast"]["data_points"]
        ),
        (&json!(79.5), &json!(79.5), &json!(30)),
        "{weight}"
    );
}

#[test]
fn what_nobody_could_mean_as_a_goal_is_refused_with_a_hint() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"));
    recent_weights(&db, ada, |_| 80.0);
    let with = |changes: &Value| {
        let mut goal = json!({"profile_id": ada.profile_id, "metric_type": "weight", "target_value": 75});
        for (key, value) in changes.as_object().expect("an object") {
            goal[key] = value.clone();
        }
        goal
    };
    for (changes, code) in [
        (json!({"target_value": 5}), "22023"),
        (json!({"target_value": -75}), "22023"),
        (json!({"target_value": 1e300}), "22023"),
        (json!({"target_value": "NaN"}), "22003"),
        (json!({"target_value": "Infinity"}), "22003"),
        (json!({"target_value": null}), "22023"),
        (json!({"metric_type": null}), "22023"),
        (json!({"metric_type": "happiness"}), "22P02"),
        (json!({"unit": "furlong"}), "22023"),
        (json!({"unit": "bpm"}), "22023"),
        (json!({"direction": "sideways"}), "22P02"),
        (json!({"deadline": "2020-01-01"}), "22023"),
        (json!({"deadline": "-infinity"}), "22023"),
        (json!({"target_value": 80}), "22023"),
        (json!({"metric_type": "steps", "target_value": 10_000}), "22023"),
        (json!({"metric_type": "sleep", "target_value": 1_000, "direction": "increase"}), "22023"),
        (json!({"metric_type": "hr", "target_value": 0, "direction": "decrease"}), "22023"),
        (json!({"profile_id": eve.profile_id}), "PT404"),
        (json!({"profile_id": null}), "PT404"),
    ] {
        let tried = set_goal(&mut db.api(ada.caller()), &with(&changes));
        let error = tried.expect_err("it is refused");
        let refusal = error.as_db_error().expect("by the database");
        assert_eq!(refusal.code().code(), code, "{changes}: {refusal}");
        assert!(
            !["22023", "PT404"].contains(&code)
                || refusal.hint().is_some()
                || changes["target_value"].is_null(),
            "{changes}: {refusal}"
        );
    }
    for (metric, target) in
        [("blood_pressure", 118.0), ("spo2", 97.0), ("sleep", 480.0), ("vo2max", 45.0), ("body_fat", 18.0)]
    {
        let goal = json!({"metric_type": metric, "target_value": target, "direction": "increase"});
        set_goal(&mut db.api(ada.caller()), &with(&goal)).unwrap_or_else(|e| panic!("{metric}: {e:?}"));
    }
    assert_eq!(sqlstate(set_goal(&mut db.api(eve.caller()), &with(&json!({})))), "PT404");
    assert_eq!(sqlstate(set_goal(&mut db.api(Caller::Anon), &with(&json!({})))), "42501");
    let hers = set_goal(&mut db.api(ada.caller()), &with(&json!({}))).expect("a goal of hers");
    let id = hers["goal"]["id"].as_str().expect("an id").parse::<Uuid>().expect("an id");
    let end = |caller: Caller, id: Option<Uuid>| {
        db.api(caller).query_one("select public.end_goal($1)", &[&id]).map(drop)
    };
    assert_eq!(sqlstate(end(eve.caller(), Some(id))), "PT404");
    assert_eq!(sqlstate(end(ada.caller(), Some(Uuid::new_v4()))), "PT404");
    assert_eq!(sqlstate(end(ada.caller(), None)), "PT404");
    assert_eq!(sqlstate(end(Caller::Anon, Some(id))), "42501");
    let active: bool = db
        .admin()
        .query_one("select is_active from public.wt_goals where id = $1", &[&id])
        .expect("a goal")
        .get(0);
    assert!(active);
}

#[test]
fn the_home_screen_shows_the_callers_day_and_nobody_elses() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"));
    let mut readings = plain_days(0..31);
    readings.extend(weights(0..31, |day| 80.0 - 0.1 * day as f64));
    live(&db, ada, &readings);
    let id = goal(&mut db.api(ada.caller()), ada, "weight", 75.0, "kg", "decrease");
    db.admin()
        .execute(
            "insert into public.wt_health_connections (user_id, profile_id, provider, provider_user_id, last_sync_at)
             values ($1, $2, 'garmin', 'g1', '2025-04-02 06:00Z')",
            &[&ada.user_id, &ada.profile_id],
        )
        .expect("a connection");
    night(&db, 30);
    let summary = |caller: Caller, day: Option<String>| -> Result<Value, postgres::Error> {
        let sql = "select public.my_daily_summary($1::text::date)";
        Ok(db.api(caller).query_one(sql, &[&day])?.get(0))
    };
    let hers = summary(ada.caller(), Some(date(30))).expect("her day");
    assert_eq!(hers["day"], date(30));
    let profile = &hers["profiles"][0];
    assert_eq!(profile["profile_id"], json!(ada.profile_id));
    let sleep = &profile["values"]["sleep"];
    assert_eq!(
        (&sleep["value"], &sleep["baseline"], &sleep["unit"]),
        (&json!(420), &json!(420), &json!("min"))
    );
    assert_eq!(profile["values"]["hr"]["calibration"], "complete");
    assert!(profile["values"].get("spo2").is_none());
    assert_eq!(profile["recovery"]["status"], "scored");
    // Every other morning's pulse is quicker: the scores go up and down and nowhere.
    assert_eq!(profile["recovery"]["narrative"], "Your recovery score is holding steady.");
    assert_eq!(profile["training_load_7d"], 840.0);
    assert_eq!(
        (&profile["goals"][0]["id"], &profile["goals"][0]["forecast"]["status"]),
        (&json!(id), &json!("on_track"))
    );
    assert!(profile["goals"][0]["forecast"]["narrative"].is_string());
    assert_eq!(profile["connections"][0]["provider"], "garmin");

    let quiet = summary(ada.caller(), None).expect("today");
    assert_eq!(quiet["profiles"][0]["recovery"], Value::Null);
    let calibrating = summary(ada.caller(), Some(date(10))).expect("an early day");
    assert_eq!(calibrating["profiles"][0]["recovery"]["status"], "calibrating");
    assert_eq!(calibrating["profiles"][0]["recovery"]["narrative"], Value::Null, "there are no scores yet");
    assert_eq!(quiet["profiles"][0]["values"]["sleep"]["value"], Value::Null, "a baseline alone: {quiet}");
    let eves = summary(eve.caller(), Some(date(30))).expect("her day");
    assert_eq!(eves["profiles"].as_array().map(Vec::len), Some(1));
    assert!(!eves.to_string().contains(&ada.profile_id.to_string()));
    assert_eq!(eves["profiles"][0]["values"], json!({}));
    assert_eq!(sqlstate(summary(Caller::Anon, None)), "42501");
    assert_eq!(sqlstate(summary(Caller::Service, None)), "PT401");
    for day in ["infinity", "-infinity", "1969-12-31", "2101-01-01"] {
        assert_eq!(sqlstate(summary(ada.caller(), Some(day.to_owned()))), "22023", "{day}");
    }
}
