//! Where the engine could say something that is not so: too early, for the wrong day, twice, or to everybody's cost.
//!
//! Promises: each case has a verdict of its own. Stops at single cases: what holds for any history is in `engine_runs` and `recovery`.

use crate::days::{date, live, night, plain_days, reading, run, scores, send, touched, values, versions};
use crate::readings::{MONDAY, iso};
use postgres::Client;
use serde_json::{Value, json};
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

fn workout(
    client: &mut Client,
    person: Person,
    start: &str,
    minutes: f64,
    effort: i32,
) -> Result<u64, postgres::Error> {
    client.execute(
        "insert into public.wt_workouts (user_id, profile_id, workout_type, start_time, duration_minutes, perceived_exertion)
         values ($1, $2, 'run', $3::text::timestamptz, $4, $5)",
        &[&person.user_id, &person.profile_id, &start, &minutes, &effort],
    )
}

fn loads(db: &TestDb, person: Person) -> Vec<(String, String, f64)> {
    let sql = "select load_date::text, load_type::text, training_load from public.wt_training_loads
               where profile_id = $1 order by 1, 2, 3";
    let rows = db.admin().query(sql, &[&person.profile_id]).expect("the table can be read");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn forecast(db: &TestDb) -> Option<Value> {
    let row = db.admin().query_opt("select to_jsonb(f) from public.wt_forecasts f", &[]);
    row.expect("the table can be read").map(|row| row.get(0))
}

#[test]
fn a_workout_without_end_of_time_is_refused_and_a_very_old_one_costs_nobody_their_night() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"));
    let mut phone = db.api(eve.caller());
    for endless in ["infinity", "-infinity", "1969-12-31T23:00:00Z", "2101-01-02T00:00:00Z", "4713-01-01 BC"]
    {
        assert_eq!(sqlstate(workout(&mut phone, eve, endless, 30.0, 5)), "23514", "{endless}");
    }
    workout(&mut phone, eve, "1970-01-01T00:00:00Z", 30.0, 5).expect("taken");
    workout(&mut phone, eve, "2100-12-31T00:00:00Z", 30.0, 5).expect("taken");
    live(&db, ada, &plain_days(0..20));
    night(&db, 19);
    assert_eq!(scores(&db, ada).len(), 20);
    assert_eq!(values(&db, eve).into_keys().collect::<Vec<_>>(), ["1970-01-01", "2100-12-31"]);
    let far = "select public.set_goal($1, 'weight', 70, null, 'decrease', $2::text::date)";
    for deadline in ["infinity", "2101-01-01"] {
        assert_eq!(sqlstate(phone.query_one(far, &[&eve.profile_id, &deadline])), "22023", "{deadline}");
    }
}

#[test]
fn a_run_on_demand_counts_what_its_person_has_just_sent() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..20));
    night(&db, 19);
    send(&db, ada, &plain_days(20..21));
    assert_eq!(run(&mut db.api(ada.caller()), 20, None).expect("her own")["scores"], 1);
    let score = |day| scores(&db, ada)[&date(day)]["recovery_score"].as_f64();
    let first = score(20).expect("a score");

    // A longer night never lowers it, not even until the background has looked at it.
    send(&db, ada, &[reading("sleep", 20, 440.0)]);
    run(&mut db.api(ada.caller()), 20, None).expect("her own");
    assert!(score(20).expect("a score") > first);
}

#[test]
fn two_people_who_set_goals_while_their_readings_come_in_wait_for_each_other_and_nobody_is_a_victim() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..20));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (20..60).for_each(|day| send(&db, ada, &plain_days(day..day + 1))));
        let mut phone = db.api(ada.caller());
        for nth in 0..40 {
            phone
                .query_one(
                    "select public.set_goal($1, 'weight', $2, 'kg', 'decrease')",
                    &[&ada.profile_id, &(60.0 + f64::from(nth) / 8.0)],
                )
                .expect("the goal is set");
        }
        writer.join().expect("the readings are taken");
    });
}

#[test]
fn a_workout_across_midnight_accounts_for_the_active_minutes_of_both_days() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    // Monday 23:00 to Tuesday 01:00, and the watch's minutes of both days.
    workout(&mut db.api(ada.caller()), ada, &iso(MONDAY + 23 * 3600), 120.0, 6).expect("taken");
    live(&db, ada, &[reading("active_minutes", 0, 70.0), reading("active_minutes", 1, 65.0)]);
    let load = |day, kind: &str, load: f64| (date(day), kind.to_owned(), load);
    let once = [load(0, "active_minutes", 40.0), load(0, "workout", 720.0), load(1, "active_minutes", 20.0)];
    assert_eq!(loads(&db, ada), once);

    // In the other order, too: what is told of yesterday's workout later changes today's minutes.
    let eve = db.sign_up("eve@example.com");
    live(&db, eve, &[reading("active_minutes", 0, 70.0), reading("active_minutes", 1, 65.0)]);
    workout(&mut db.api(eve.caller()), eve, &iso(MONDAY + 23 * 3600), 120.0, 6).expect("taken");
    db.run_jobs();
    assert_eq!(loads(&db, eve), once);
    db.api(eve.caller()).execute("delete from public.wt_workouts", &[]).expect("own rows");
    db.run_jobs();
    assert_eq!(loads(&db, eve), [load(0, "active_minutes", 280.0), load(1, "active_minutes", 260.0)]);

    // Two days long: three days know of it, and a day with nothing else has no row.
    let bob = db.sign_up("bob@example.com");
    workout(&mut db.api(bob.caller()), bob, &iso(MONDAY + 23 * 3600), 2880.0, 1).expect("taken");
    live(&db, bob, &[reading("active_minutes", 2, 1400.0)]);
    assert_eq!(loads(&db, bob), [load(0, "workout", 2880.0), load(2, "active_minutes", 20.0 * 4.0)]);
    assert_eq!(values(&db, bob).into_keys().collect::<Vec<_>>(), [date(0), date(2)]);
}

#[test]
fn equal_workouts_that_overlap_count_the_same_whatever_their_ids() {
    let db = TestDb::new();
    let mut totals = Vec::new();
    for nth in 0..8 {
        let ada = db.sign_up(&format!("{nth}@example.com"));
        for (minute, effort) in [(0, 2), (30, 9), (30, 4)] {
            workout(&mut db.api(ada.caller()), ada, &iso(MONDAY + minute * 60), 60.0, effort).expect("taken");
        }
        totals.push(loads(&db, ada).iter().map(|(_, _, load)| load).sum::<f64>());
    }
    assert_eq!(totals, [60.0 * 2.0 + 30.0 * 9.0; 8]);
}

#[test]
fn a_birthday_changes_what_the_heart_rates_of_all_workouts_mean() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let beat = "insert into public.wt_workouts (profile_id, workout_type, start_time, duration_minutes, average_hr_bpm)
                values ($1, 'Walk', $2::text::timestamptz, 60, 165)";
    phone.execute(beat, &[&ada.profile_id, &iso(MONDAY)]).expect("taken");
    let born = "update public.wt_profiles set date_of_birth = '1986-01-01'";
    phone.execute(born, &[]).expect("her own");
    phone.execute(beat, &[&ada.profile_id, &iso(MONDAY + 7200)]).expect("taken");
    let loads = loads(&db, ada);
    assert_eq!(loads[0].2, loads[1].2, "{loads:?}");
    db.run_jobs();
    assert_eq!(values(&db, ada)[&date(0)]["training_load"], loads[0].2 + loads[1].2);
}

#[test]
fn a_forecast_speaks_in_the_units_that_its_person_has_just_chosen() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut phone = db.api(ada.caller());
    let falling: Vec<_> = (0..30).map(|day| reading("weight", day, 80.0 - 0.1 * day as f64)).collect();
    live(&db, ada, &falling);
    let goal = "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
                values ($1, 'weight', 75, 'kg', 'decrease')";
    phone.execute(goal, &[&ada.profile_id]).expect("her own");
    run(&mut phone, 29, None).expect("her own");
    let told = || forecast(&db).expect("a forecast")["narrative"].as_str().expect("words").to_owned();
    assert!(told().contains("75 kg"), "{}", told());
    phone
        .execute("update public.wt_profiles set preferences = '{\"units\": \"imperial\"}'", &[])
        .expect("her own");
    run(&mut phone, 29, None).expect("her own");
    assert!(told().contains("165.3 lb"), "{}", told());
}

#[test]
fn a_run_for_a_day_long_past_leaves_a_new_goal_to_one_that_sees_its_present() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let falling: Vec<_> = (0..30).map(|day| reading("weight", day, 80.0 - 0.1 * day as f64)).collect();
    live(&db, ada, &falling);
    night(&db, 29);
    let goal = "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
                values ($1, 'weight', 75, 'kg', 'decrease')";
    db.api(ada.caller()).execute(goal, &[&ada.profile_id]).expect("her own");
    for early in [-20_000, 10] {
        let answer = run(&mut db.api(Caller::Service), early, None).expect("it runs");
        assert_eq!((&answer["forecasts"], &answer["left"]), (&json!(0), &json!(false)), "{early}: {answer}");
        assert_eq!(forecast(&db), None);
    }
    night(&db, 29);
    assert_eq!(forecast(&db).expect("a forecast")["status"], "on_track");
}

#[test]
fn who_measures_every_fifth_day_is_scored_as_soon_as_fourteen_days_are_known() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days((0..100).step_by(5)));
    night(&db, 99);
    let rows = scores(&db, ada);
    let row = |day| {
        let row: &Value = &rows[&date(day)];
        (row["status"].clone(), row["days_missing"].clone(), row["missing_inputs"].clone())
    };
    // The thirteenth day and the fourteenth; from the fifteenth on there are fourteen heart rates to compare with.
    assert_eq!(row(60), (json!("calibrating"), json!(1), json!(["hr"])));
    assert_eq!(row(65), (json!("scored"), json!(0), json!(["hr"])));
    assert_eq!(row(70), (json!("scored"), json!(0), json!([])));
    assert_eq!(rows[&date(95)]["raw_data"]["hr_baseline_days"], 14);
    assert_eq!(rows[&date(95)]["raw_data"]["input_days"], 14);
    // What is told is what was computed, on days with readings and on those with the week's training alone.
    let sql = "select s.score_date::text from public.wt_recovery_scores s,
                 public.explain_recovery(s.profile_id, s.score_date) e
               where (e ->> 'status', e -> 'recovery_score', e -> 'days_missing',
                      (e -> 'inputs') || (e -> 'baselines'))
                 is distinct from (s.status::text, coalesce(to_jsonb(s.recovery_score), 'null'), to_jsonb(s.days_missing),
                                   jsonb_strip_nulls(to_jsonb(s.raw_data)))";
    let untold = db.api(ada.caller()).query(sql, &[]).expect("she may ask");
    assert!(untold.is_empty(), "{:?}", untold.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>());
    let shown: Value = db
        .api(ada.caller())
        .query_one("select to_jsonb(b) from public.wt_baselines b where b.metric_type = 'hr'", &[])
        .expect("her own")
        .get(0);
    assert_eq!(shown["is_complete"], json!(true), "the app shows a baseline, and the score has one");

    // A heart rate long before all others is the first of fourteen until fourteen others came after it, and no longer.
    let before = versions(&db, ada);
    live(&db, ada, &[reading("hr", 2, 64.0)]);
    night(&db, 99);
    let reached = touched(&before, &versions(&db, ada), "score");
    assert_eq!(reached, (2..=65).chain([70]).map(date).collect::<Vec<_>>());
}
