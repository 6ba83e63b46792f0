//! Goals that go, move or change while the engine writes their forecasts.
//!
//! Promises: nobody is a deadlock's victim or waits in a circle, no run fails because of a goal that goes, and what remains has the
//! forecast of its last word. Stops at one goal at a time: what a forecast says is `goals`'.

use crate::days::{live, night, reading, run};
use crate::ingest_races::overlap;
use crate::readings::Reading;
use postgres::Client;
use uuid::Uuid;
use welltrack_tests::{Person, TestDb};

/// Thirty days of a falling weight, and a goal; its forecast is made as of day 28 if `told`.
fn stage(db: &TestDb, told: bool) -> (Person, Uuid) {
    let ada = db.sign_up("ada@example.com");
    let weights: Vec<Reading> = (0..30).map(|day| reading("weight", day, 80.0 - 0.1 * day as f64)).collect();
    live(db, ada, &weights);
    let sql = "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
               values ($1, 'weight', 70, 'kg', 'decrease') returning id";
    let goal = db.api(ada.caller()).query_one(sql, &[&ada.profile_id]).expect("a goal of hers").get(0);
    if told {
        assert_eq!(night(db, 28).1, 1);
    }
    (ada, goal)
}

fn begin(mut client: Client) -> Client {
    client.batch_execute("begin").expect("alive");
    client
}

fn forecasts(db: &TestDb) -> Vec<(Uuid, f64)> {
    let sql = "select profile_id, target_value from public.wt_forecasts";
    db.admin().query(sql, &[]).expect("readable").iter().map(|row| (row.get(0), row.get(1))).collect()
}

const CHANGES: [&str; 4] = [
    "delete from public.wt_goals",
    "update public.wt_goals set is_active = false",
    "update public.wt_goals set target_value = 60",
    "update public.wt_goals set profile_id = (select id from public.wt_profiles where not is_primary)",
];

/// Which forecasts there are once all is over, by profile and target.
fn expected(change: &str, first: Uuid, second: Uuid) -> Vec<(Uuid, f64)> {
    match change.split(' ').nth(3) {
        Some("target_value") => vec![(first, 60.0)],
        Some("profile_id") => vec![(second, 70.0)],
        _ => vec![],
    }
}

#[test]
fn a_goal_that_changes_while_the_engine_works_on_it_has_the_forecast_of_its_last_word() {
    for told in [true, false] {
        for change in CHANGES {
            let db = TestDb::new();
            let (ada, _) = stage(&db, told);
            let mut client = db.api(ada.caller());
            let child: Uuid = client
                .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
                .expect("a profile of hers")
                .get(0);
            let mut engine = begin(db.owner());
            assert_eq!(run(&mut engine, 29, None).expect("it runs")["forecasts"], 1);
            let done = overlap(
                &db,
                client,
                |client| client.execute(change, &[]),
                || engine.batch_execute("commit").expect("the engine is not the victim"),
            );
            assert_eq!(done.expect("nor is she"), 1, "{change}");
            night(&db, 29);
            assert_eq!(
                forecasts(&db),
                expected(change, ada.profile_id, child),
                "{change}, told before: {told}"
            );
        }
    }
}

#[test]
fn an_engine_that_meets_a_goal_in_the_middle_of_a_change_gets_through() {
    for told in [true, false] {
        for change in CHANGES {
            let db = TestDb::new();
            let (ada, _) = stage(&db, told);
            let mut client = db.api(ada.caller());
            let child: Uuid = client
                .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
                .expect("a profile of hers")
                .get(0);
            let mut client = begin(client);
            assert_eq!(client.execute(change, &[]).expect("her goal"), 1);
            let commit = || client.batch_execute("commit").expect("she is not the victim");
            let done = overlap(&db, db.owner(), |engine| run(engine, 29, None), commit);
            done.unwrap_or_else(|error| panic!("{change}, told before: {told}: {error}"));
            night(&db, 29);
            assert_eq!(
                forecasts(&db),
                expected(change, ada.profile_id, child),
                "{change}, told before: {told}"
            );
        }
    }
}
