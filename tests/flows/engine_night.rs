//! The night as it is scheduled: in portions, by pg_cron's own command, cut off and taken up again.
//!
//! Promises: whatever was committed before a run was cut off stays, and the next one does the rest once. Stops at when: what a
//! score is, is in `recovery`.

use crate::days::{date, live, night, plain_days, reading, run, scores, send};
use crate::ingest_races::overlap;
use postgres::Client;
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::{Person, TestDb};

/// Twenty plain days of so many people, whose ids grow as they sign up.
fn crowd(db: &TestDb, count: usize) -> Vec<Person> {
    let people: Vec<Person> = (0..count).map(|n| db.sign_up(&format!("p{n}@example.com"))).collect();
    for person in &people {
        send(db, *person, &plain_days(0..20));
    }
    db.run_jobs();
    people
}

/// One portion after the profile `after`: how far it came, how many profiles, how many scores.
fn portion(client: &mut Client, day: i64, after: Uuid, profiles: i32) -> (Option<Uuid>, i32, Option<i32>) {
    let sql = "select reached, profiles, scores
               from wt_private.engine_portion($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff', $2, $3::text::date)";
    let row = client.query_one(sql, &[&after, &profiles, &date(day)]).expect("it runs");
    (row.get(0), row.get(1), row.get(2))
}

fn own(db: &TestDb, person: Person) -> Vec<Value> {
    let rows = scores(db, person).into_values().map(|mut row| {
        row["user_id"] = json!(null);
        row["profile_id"] = json!(null);
        row
    });
    rows.collect()
}

#[test]
fn a_night_that_dies_between_portions_is_taken_up_where_it_was() {
    let db = TestDb::new();
    let people = crowd(&db, 7);
    let mut doomed = db.owner();
    let pid: i32 = doomed.query_one("select pg_backend_pid()", &[]).expect("alive").get(0);
    let (reached, profiles, written) = portion(&mut doomed, 19, Uuid::nil(), 3);
    assert_eq!((profiles, written), (3, Some(60)));
    doomed.batch_execute("begin").expect("alive");
    let (_, profiles, written) = portion(&mut doomed, 19, reached.expect("a profile"), 3);
    assert_eq!((profiles, written), (3, Some(60)), "the next portion is of others");
    db.admin().execute("select pg_terminate_backend($1)", &[&pid]).expect("it is killed");
    assert_eq!(night(&db, 19).0, 80, "the four that it did not commit");
    assert_eq!(night(&db, 19), (0, 0));
    assert_eq!(own(&db, people[0]).len(), 20);
    assert!(people.iter().all(|person| own(&db, *person) == own(&db, people[0])));
}

#[test]
fn an_engine_that_is_killed_in_the_middle_loses_nothing() {
    let db = TestDb::new();
    let ada = db.sign_up("ada@example.com");
    live(&db, ada, &plain_days(0..20));
    let mut doomed = db.owner();
    let pid: i32 = doomed.query_one("select pg_backend_pid()", &[]).expect("alive").get(0);
    doomed.batch_execute("begin").expect("alive");
    assert_eq!(run(&mut doomed, 19, None).expect("it runs")["scores"], 20);
    db.admin().execute("select pg_terminate_backend($1)", &[&pid]).expect("it is killed");
    // The server lets go of the dead one's marks when it has noticed: the run waits for that.
    assert_eq!(night(&db, 19).0, 20);
}

#[test]
fn a_portion_ends_where_its_days_add_up_to_a_lot() {
    let db = TestDb::new();
    crowd(&db, 3);
    // Two people who send three centuries at once.
    let marked = "update public.wt_engine_marks set score_from = score_from - 60000 where id in (
                    select id from public.wt_engine_marks order by id limit 2)";
    db.admin().execute(marked, &[]).expect("marks can be set");
    let mut owner = db.owner();
    let (first, profiles, _) = portion(&mut owner, 19, Uuid::nil(), 5_000);
    assert_eq!(profiles, 1);
    let (second, profiles, _) = portion(&mut owner, 19, first.expect("a profile"), 5_000);
    assert_eq!(profiles, 2, "one with a lot of days, and one with few");
    assert!(second > first);
    assert_eq!(portion(&mut owner, 19, Uuid::nil(), 5_000), (None, 0, None), "nothing is left");
}

#[test]
fn what_changes_while_a_mark_is_claimed_is_worked_out_by_whoever_claimed_it() {
    let db = TestDb::new();
    let people = crowd(&db, 2);
    night(&db, 19);
    // The first one's new goal is looked at by a function that waits, so that the claim has seen the second one's mark and not
    // taken it yet.
    let goal = "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
                values ($1, 'hr', 50, 'bpm', 'decrease')";
    db.api(people[0].caller()).execute(goal, &[&people[0].profile_id]).expect("a goal");
    let away = "update public.wt_engine_marks set score_from = '2100-01-01' where id = $1";
    db.admin().execute(away, &[&people[0].profile_id]).expect("a mark");
    db.admin()
        .batch_execute(
            "create or replace function wt_private.sees_goals(last_day date, as_of date) returns boolean
             language plpgsql as $$ begin perform pg_advisory_xact_lock(42); return true; end $$",
        )
        .expect("a function that waits");
    let mut gate = db.admin();
    gate.batch_execute("select pg_advisory_lock(42)").expect("nobody has it");
    let (_, profiles, _) = overlap(
        &db,
        db.owner(),
        |owner| portion(owner, 200, Uuid::nil(), 10),
        || {
            // A new target and a late reading, long before the day that is being scored and long after the last one.
            let target = "update public.wt_profiles set sleep_target_hours = 7 where id = $1";
            db.api(people[1].caller()).execute(target, &[&people[1].profile_id]).expect("her profile");
            send(&db, people[1], &[reading("sleep", 100, 420.0), reading("stress", 100, 30.0)]);
            db.owner()
                .batch_execute(
                    "select public.validate_pending_metrics(); select public.refresh_daily_values()",
                )
                .expect("jobs");
            gate.batch_execute("select pg_advisory_unlock(42)").expect("it was ours");
        },
    );
    assert_eq!(profiles, 2);
    let rows = scores(&db, people[1]);
    assert_eq!(rows[&date(100)]["sleep_component"], 100.0, "{}", rows[&date(100)]);
    assert_eq!(rows[&date(10)]["sleep_component"], 100.0, "seven hours of seven: {}", rows[&date(10)]);
}

#[test]
fn the_scheduled_command_does_what_the_function_does() {
    let db = TestDb::new();
    let people = crowd(&db, 2);
    let command: String = db
        .admin()
        .query_one("select command from cron.job where jobname = 'welltrack-performance-engine-1'", &[])
        .expect("it is scheduled")
        .get(0);
    db.owner().batch_execute(&command).expect("the job runs");
    // Yesterday is long after these days: six more have the week's training.
    assert_eq!(own(&db, people[0]).len(), 26);
    assert_eq!(own(&db, people[0]), own(&db, people[1]));
    let grace = db.sign_up("grace@example.com");
    live(&db, grace, &plain_days(0..20));
    let done: Value =
        db.owner().query_one("select public.run_performance_engine()", &[]).expect("it runs").get(0);
    assert_eq!((&done["profiles"], &done["scores"], &done["left"]), (&json!(1), &json!(26), &json!(false)));
    assert_eq!(own(&db, grace), own(&db, people[0]));
}
