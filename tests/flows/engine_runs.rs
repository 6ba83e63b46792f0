//! Runs of the engine: for whom, when, twice, at once, cut off, after late readings.
//!
//! Promises: what is up to date is not touched, what changed is and nothing else, nothing is lost by a run that dies, two runs
//! share the work, and people run it for themselves alone. Stops at what the numbers are: `recovery`.

use crate::days::{date, live, night, plain_days, reading, run, scores, send, touched, values, versions};
use crate::ingest_races::overlap;
use crate::readings::{DAY, MONDAY, Reading};
use serde_json::json;
use std::thread;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

fn dates(days: impl Iterator<Item = i64>) -> Vec<String> {
    days.map(date).collect()
}

#[test]
fn running_twice_writes_nothing() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..31));
    assert_eq!(night(&db, 30).0, 31);
    let before = versions(&db, ada);
    let marks = "select string_agg(m::text, '|' order by id) from public.wt_engine_marks m";
    let mark: String = db.admin().query_one(marks, &[]).expect("a mark").get(0);
    assert_eq!(night(&db, 30), (0, 0));
    assert_eq!(run(&mut db.api(Caller::Service), 30, Some(ada.user_id)).expect("it runs")["profiles"], 0);
    assert_eq!(versions(&db, ada), before);
    assert_eq!(db.admin().query_one(marks, &[]).expect("a mark").get::<_, String>(0), mark);

    // Not even when everything is marked again: rows that say what they should are left alone.
    db.admin()
        .batch_execute(
            "update public.wt_engine_marks set stale_from = '2025-03-03', stale_to = '2025-04-02',
                                               score_from = '2025-03-03', score_to = '2025-04-02'",
        )
        .expect("marks can be set");
    assert_eq!(night(&db, 30), (0, 0));
    assert_eq!(versions(&db, ada), before);
}

#[test]
fn a_late_reading_changes_the_days_that_it_reaches_and_nobody_elses() {
    let db = TestDb::new();
    let (ada, grace) = (db.sign_up("ada@example.com"), db.sign_up("grace@example.com"));
    for person in [ada, grace] {
        let mut readings = plain_days(0..60);
        readings.retain(|reading| reading.metric != "stress" || reading.start != MONDAY + 20 * DAY);
        live(&db, person, &readings);
    }
    night(&db, 59);
    let (adas, graces) = (versions(&db, ada), versions(&db, grace));

    // Stress counts on its own day only.
    live(&db, ada, &[reading("stress", 20, 80.0)]);
    assert_eq!(night(&db, 59).0, 1);
    let after = versions(&db, ada);
    assert_eq!(touched(&adas, &after, "value"), dates(20..21));
    assert_eq!(touched(&adas, &after, "score"), dates(20..21));

    // A heart rate counts on its day, and in the fourteen baselines after it.
    live(&db, ada, &[Reading { value: 75.0, ..reading("hr", 20, 60.0) }]);
    night(&db, 59);
    let corrected = versions(&db, ada);
    assert_eq!(versions(&db, grace), graces);
    assert_eq!(touched(&after, &corrected, "value"), dates(20..21));
    assert_eq!(touched(&after, &corrected, "score"), dates(20..35));

    // Effort counts for a week, and in the four weeks that the week is compared with; also long after the last run that had
    // anything to do.
    night(&db, 100);
    let (corrected, graces) = (versions(&db, ada), versions(&db, grace));
    live(&db, ada, &[Reading { value: 90.0, ..reading("active_minutes", 20, 30.0) }]);
    night(&db, 100);
    let moved = versions(&db, ada);
    assert_eq!(touched(&corrected, &moved, "load"), [format!("{}active_minutes", date(20))]);
    assert_eq!(touched(&corrected, &moved, "score"), dates(20..49));
    assert_eq!(versions(&db, grace), graces);
}

#[test]
fn readings_that_take_the_day_over_reject_it_or_leave_it_change_its_values() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let by = |source, value| Reading { source, ..reading("steps", 0, value) };
    let steps = || values(&db, ada).get(&date(0)).map(|row| row["steps"].as_f64());
    live(
        &db,
        ada,
        &[by("manual", 900.0), by("healthkit", 800.0).hours(0, 12), by("healthkit", 200.5).hours(12, 24)],
    );
    assert_eq!(steps(), Some(Some(1000.5)), "the better source counts, all of it");
    live(&db, ada, &[by("garmin", 200_000.0)]);
    assert_eq!(steps(), Some(Some(1000.5)), "what is rejected counts nothing");
    live(&db, ada, &[by("garmin", 700.0)]);
    assert_eq!(steps(), Some(Some(700.0)));
    db.api(ada.caller())
        .execute("delete from public.wt_health_metrics where source <> 'manual'", &[])
        .expect("own rows");
    db.run_jobs();
    assert_eq!(steps(), Some(Some(900.0)));
    db.api(ada.caller()).execute("delete from public.wt_health_metrics", &[]).expect("own rows");
    db.run_jobs();
    assert_eq!(steps(), None, "a day without anything has no row");
}

#[test]
fn the_same_readings_in_any_order_give_the_same_bits() {
    let db = TestDb::new();
    let people: Vec<Person> = (0..3).map(|n| db.sign_up(&format!("p{n}@example.com"))).collect();
    // Fractions, whose sums depend on the order of addition: each hour of a day has its stress, heart rate and activity, and
    // eight of them their sleep.
    let hourly: Vec<Reading> = (0..20)
        .flat_map(|day| (0..24).map(move |hour| (day, hour)))
        .flat_map(|(day, hour)| {
            let part = 97.0 / (hour * 7 % 24 + 1) as f64;
            let metrics = [
                ("stress", part),
                ("hr", 50.0 + part / 3.0),
                ("active_minutes", part / 5.0),
                ("sleep", 40.0 + part / 7.0),
            ];
            let some = if hour < 8 { 4 } else { 3 };
            metrics.into_iter().take(some).map(move |(metric, value)| {
                let begin = Reading { start: MONDAY + day * DAY, ..reading(metric, day, value) };
                begin.hours(hour, hour + 1)
            })
        })
        .collect();
    live(&db, people[0], &hourly);
    live(&db, people[1], &hourly.iter().rev().cloned().collect::<Vec<_>>());
    // Every day comes in eight parts, and the engine sees it half full.
    for portion in [0, 7, 3, 1, 5, 2, 6, 4] {
        let some: Vec<Reading> = hourly.iter().skip(portion).step_by(8).cloned().collect();
        live(&db, people[2], &some);
        if portion % 2 == 1 {
            night(&db, 25);
        }
    }
    night(&db, 25);
    let scored =
        scores(&db, people[0]).into_values().filter(|row| row["missing_inputs"] == json!([])).count();
    assert!(scored > 3, "{scored} days have all four");
    let bits = |person: Person| {
        let rows = values(&db, person).into_iter().chain(scores(&db, person));
        let own = |text: String| {
            text.replace(&person.profile_id.to_string(), "").replace(&person.user_id.to_string(), "")
        };
        rows.map(|(day, row)| day + &own(row.to_string())).collect::<Vec<_>>()
    };
    assert!(bits(people[0]).len() > 20);
    assert_eq!(bits(people[0]), bits(people[1]));
    assert_eq!(bits(people[0]), bits(people[2]));
}

#[test]
fn a_run_as_of_a_day_leaves_later_days_to_later_runs() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..31));
    assert_eq!(night(&db, 9).0, 10);
    assert_eq!(scores(&db, ada).into_keys().collect::<Vec<_>>(), dates(0..10));
    assert_eq!(night(&db, 30).0, 21);
    assert_eq!(night(&db, 9), (0, 0), "an earlier day again takes nothing back");
    // Days without readings of their own still have the week's load, for six days.
    assert_eq!((31..40).map(|day| night(&db, day).0).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 1, 0, 0, 0]);
    // A late reading reaches its day, and the three after it that count one day with data more.
    live(&db, ada, &[reading("sleep", 33, 400.0)]);
    assert_eq!(night(&db, 39).0, 4);
}

#[test]
fn two_engines_at_once_share_the_work_and_leave_what_one_alone_would() {
    let db = TestDb::new();
    let people: Vec<Person> = (0..12).map(|n| db.sign_up(&format!("p{n}@example.com"))).collect();
    for person in &people {
        send(&db, *person, &plain_days(0..20));
    }
    db.run_jobs();
    let engine = || night(&db, 19).0;
    let total: u64 = thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(engine)).collect();
        runs.into_iter().map(|run| run.join().expect("no engine is a victim")).sum()
    });
    assert_eq!(total, 20 * 12, "each row is written once");
    let own = |person: &Person| {
        let rows = scores(&db, *person).into_values().map(|mut row| {
            row["user_id"] = json!(null);
            row["profile_id"] = json!(null);
            row
        });
        rows.collect::<Vec<_>>()
    };
    assert!(people.iter().all(|person| own(person) == own(&people[0])));
}

#[test]
fn what_one_engine_holds_another_leaves_and_says_so() {
    let db = TestDb::new();
    let (ada, grace) = (db.sign_up("ada@example.com"), db.sign_up("grace@example.com"));
    for person in [ada, grace] {
        live(&db, person, &plain_days(0..20));
    }
    let mut open = db.owner();
    open.batch_execute("begin").expect("alive");
    assert_eq!(run(&mut open, 19, Some(ada.user_id)).expect("it runs")["scores"], 20);
    let mut other = db.owner();
    let beside = run(&mut other, 19, None).expect("it does not wait while there is other work");
    assert_eq!((&beside["scores"], &beside["left"]), (&json!(20), &json!(true)));
    assert_eq!(scores(&db, ada).len(), 0, "the first has not committed");
    // With nothing else to do it waits for the other one, and says that there may be work.
    let waited = overlap(
        &db,
        other,
        |client| run(client, 19, None).expect("it runs"),
        || open.batch_execute("rollback").expect("the first one dies"),
    );
    assert_eq!(waited["left"], true);
    assert_eq!(night(&db, 19).0, 20, "nothing of what died is lost");
    assert_eq!((scores(&db, ada).len(), scores(&db, grace).len()), (20, 20));
}

#[test]
fn a_reading_that_is_judged_while_the_engine_runs_is_not_lost() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..20));
    send(&db, ada, &[Reading { value: 90.0, ..reading("stress", 10, 30.0) }]);
    let mut engine = db.owner();
    engine.batch_execute("begin").expect("alive");
    run(&mut engine, 19, None).expect("it runs");
    overlap(
        &db,
        db.owner(),
        |jobs| {
            jobs.batch_execute("select public.validate_pending_metrics()")
                .expect("the job waits for the mark")
        },
        || engine.batch_execute("commit").expect("the engine is not the victim"),
    );
    assert_eq!(
        scores(&db, ada)[&date(10)]["stress_component"],
        json!(null),
        "it was raw when the engine looked"
    );
    db.run_jobs();
    assert_eq!(night(&db, 19).0, 1);
    assert_eq!(scores(&db, ada)[&date(10)]["stress_component"], 10.0);
}

#[test]
fn deleting_a_profile_while_the_engine_works_on_it_harms_neither() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let mut client = db.api(ada.caller());
    let child: uuid::Uuid = client
        .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
        .expect("a profile of hers")
        .get(0);
    live(&db, Person { profile_id: child, ..ada }, &plain_days(0..20));
    let mut engine = db.owner();
    engine.batch_execute("begin").expect("alive");
    assert_eq!(run(&mut engine, 19, None).expect("it runs")["scores"], 20);
    let gone = overlap(
        &db,
        client,
        |client| client.execute("delete from public.wt_profiles where not is_primary", &[]),
        || engine.batch_execute("commit").expect("the engine is not the victim"),
    );
    assert_eq!(gone.expect("nor is she"), 1);
    for table in
        ["wt_recovery_scores", "wt_daily_values", "wt_training_loads", "wt_engine_marks", "wt_health_metrics"]
    {
        let left: i64 = db
            .admin()
            .query_one(&format!("select count(*) from public.{table}"), &[])
            .expect("it counts")
            .get(0);
        assert_eq!(left, 0, "{table}");
    }

    // The other way round: the engine comes while the profile is being deleted.
    let mut client = db.api(ada.caller());
    live(&db, ada, &plain_days(0..20));
    let mut gotrue = db.config_as("supabase_auth_admin").connect(postgres::NoTls).expect("it may connect");
    gotrue.batch_execute("begin").expect("alive");
    gotrue.execute("delete from auth.users where id = $1", &[&ada.user_id]).expect("the account goes");
    let mut owner = db.owner();
    let waited = overlap(
        &db,
        owner,
        |owner| run(owner, 19, None),
        || gotrue.batch_execute("commit").expect("it went"),
    );
    assert_eq!(waited.expect("the engine is not the victim")["scores"], 0);
    owner = db.owner();
    assert_eq!(run(&mut owner, 19, None).expect("it runs")["left"], false);
    assert_eq!(
        run(&mut client, 19, None).expect("it runs")["profiles"],
        0,
        "a token that outlived its person"
    );
}

#[test]
fn an_engine_that_meets_a_profile_half_deleted_waits_and_is_nobodys_victim() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..20));
    // The deletion has taken the profile and stops at its first reading, before it comes to the mark.
    let mut holder = db.admin();
    holder
        .batch_execute("begin; select from public.wt_health_metrics for update")
        .expect("readings are held");
    let gotrue = db.config_as("supabase_auth_admin").connect(postgres::NoTls).expect("it may connect");
    let gone = overlap(
        &db,
        gotrue,
        |gotrue| gotrue.execute("delete from auth.users where id = $1", &[&ada.user_id]),
        || {
            let release = || holder.batch_execute("rollback").expect("alive");
            let done = overlap(&db, db.owner(), |engine| run(engine, 19, None), release);
            assert_eq!(done.expect("the engine is not the victim")["scores"], 0);
        },
    );
    assert_eq!(gone.expect("nor is she"), 1);
}

#[test]
fn a_day_that_loses_its_readings_loses_its_score() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    let nights: Vec<Reading> = (0..20).map(|day| reading("sleep", day, 400.0)).collect();
    live(&db, ada, &nights);
    night(&db, 19);
    db.api(ada.caller())
        .execute("delete from public.wt_health_metrics where local_date >= '2025-03-10'", &[])
        .expect("own rows");
    db.run_jobs();
    night(&db, 19);
    assert_eq!(scores(&db, ada).into_keys().collect::<Vec<_>>(), dates(0..7));
}

#[test]
fn people_run_it_for_themselves_and_the_service_for_anybody() {
    let db = TestDb::new();
    let (ada, eve) = (db.sign_up("ada@example.com"), db.sign_up("eve@example.com"));
    for person in [ada, eve] {
        live(&db, person, &plain_days(0..20));
    }
    assert_eq!(sqlstate(run(&mut db.api(eve.caller()), 19, Some(ada.user_id))), "42501");
    assert_eq!(sqlstate(run(&mut db.api(Caller::Anon), 19, None)), "42501");
    assert_eq!((scores(&db, ada).len(), scores(&db, eve).len()), (0, 0));
    assert_eq!(run(&mut db.api(eve.caller()), 19, None).expect("her own")["scores"], 20);
    assert_eq!((scores(&db, ada).len(), scores(&db, eve).len()), (0, 20));
    assert_eq!(run(&mut db.api(ada.caller()), 19, Some(ada.user_id)).expect("her own")["scores"], 20);
    let mut service = db.api(Caller::Service);
    assert_eq!(sqlstate(run(&mut service, 30_000, None)), "22023", "no day that has begun");
    assert_eq!(sqlstate(run(&mut service, -30_000, None)), "22023");
    for wrong in ["infinity", "-infinity"] {
        let tried = service.query_one("select public.run_performance_engine($1::text::date)", &[&wrong]);
        assert_eq!(sqlstate(tried), "22023", "{wrong}");
    }
    let nobody =
        service.query_one("select public.run_performance_engine(null, $1)", &[&uuid::Uuid::new_v4()]);
    assert_eq!(sqlstate(nobody), "PT404");
    // Whoever reads, reads their own.
    let count = "select count(*) from public.wt_recovery_scores";
    assert_eq!(db.api(ada.caller()).query_one(count, &[]).expect("her own").get::<_, i64>(0), 20);
}

#[test]
fn the_default_day_is_today_where_the_person_is_and_yesterday_in_utc_for_everybody() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let answer = |client: &mut postgres::Client| -> String {
        let done: serde_json::Value =
            client.query_one("select public.run_performance_engine()", &[]).expect("it runs").get(0);
        done["as_of"].as_str().expect("a date").to_owned()
    };
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let email = format!("{}@example.com", zone.replace('/', "-"));
        let ada = db.sign_up_with(&json!({"email": email, "raw_user_meta_data": {"timezone": zone}}));
        // Midnight may pass between the two questions, so either day will do.
        let today = "select (now() at time zone $1)::date::text";
        let before: String = admin.query_one(today, &[&zone]).expect("a date").get(0);
        let said = answer(&mut db.api(ada.caller()));
        let after: String = admin.query_one(today, &[&zone]).expect("a date").get(0);
        assert!([before, after].contains(&said), "{said} in {zone}");
    }
    let yesterday = "select ((now() at time zone 'UTC')::date - 1)::text";
    let before: String = admin.query_one(yesterday, &[]).expect("a date").get(0);
    let said = answer(&mut db.api(Caller::Service));
    let after: String = admin.query_one(yesterday, &[]).expect("a date").get(0);
    assert!([before, after].contains(&said), "{said}");
}
