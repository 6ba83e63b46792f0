//! The night as it is scheduled: in portions, by pg_cron's own command, cut off and taken up again.
//!
//! Promises: whatever was committed before a run was cut off stays, and the next one does the rest once. Stops at when: what a
//! score is, is in `recovery`.

use crate::days::{date, live, night, plain_days, run, scores, send};
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
fn portion(client: &mut Client, after: Uuid, profiles: i32) -> (Option<Uuid>, i32, Option<i32>) {
    let sql = "select reached, profiles, scores
               from wt_private.engine_portion($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff', $2, $3::text::date)";
    let row = client.query_one(sql, &[&after, &profiles, &date(19)]).expect("it runs");
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
    let (reached, profiles, written) = portion(&mut doomed, Uuid::nil(), 3);
    assert_eq!((profiles, written), (3, Some(60)));
    doomed.batch_execute("begin").expect("alive");
    let (_, profiles, written) = portion(&mut doomed, reached.expect("a profile"), 3);
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
    let (first, profiles, _) = portion(&mut owner, Uuid::nil(), 5_000);
    assert_eq!(profiles, 1);
    let (second, profiles, _) = portion(&mut owner, first.expect("a profile"), 5_000);
    assert_eq!(profiles, 2, "one with a lot of days, and one with few");
    assert!(second > first);
    assert_eq!(portion(&mut owner, Uuid::nil(), 5_000), (None, 0, None), "nothing is left");
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
