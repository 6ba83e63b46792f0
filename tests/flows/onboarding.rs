//! Flow 1, second half: the first answer about goals or restrictions lays out the default modules, once.
//!
//! Promises: nothing that a person switched, moved or removed comes back or is lost. Stops at what the modules show.

use postgres::Client;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, sqlstate};

/// In the order of their tiles (data model, `wt_profile_modules`).
const MODULES: [&str; 10] = [
    "meals",
    "nutrients",
    "supplements",
    "workouts",
    "health",
    "insights",
    "reminders",
    "plans",
    "pantry",
    "daily",
];

struct Stage {
    ada: Person,
    client: Client,
    // Dropped last, when the connection is closed.
    db: TestDb,
}

impl Stage {
    fn new() -> Self {
        let db = TestDb::new();
        let ada = db.sign_up("ada@example.org");
        Stage { ada, client: db.api(ada.caller()), db }
    }

    fn run(&mut self, statement: &str) {
        self.client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }

    fn modules(&mut self, profile_id: Uuid) -> Vec<(String, i32, bool)> {
        self.client
            .query(
                "select module_name::text, tile_order, enabled from public.wt_profile_modules
                 where profile_id = $1 order by tile_order, module_name",
                &[&profile_id],
            )
            .expect("people read their modules")
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    }

    fn is_onboarded(&mut self) -> bool {
        self.client
            .query_one("select onboarding_completed from public.wt_users", &[])
            .expect("people read their account")
            .get(0)
    }

    fn dependent(&mut self, columns: &str, values: &str) -> Uuid {
        self.client
            .query_one(
                &format!("insert into public.wt_profiles (display_name{columns}) values ('Byron'{values}) returning id"),
                &[],
            )
            .expect("people add dependents")
            .get(0)
    }
}

fn all_modules() -> Vec<(String, i32, bool)> {
    (0..).zip(MODULES).map(|(place, name)| (name.to_owned(), place, true)).collect()
}

#[test]
fn the_first_answer_lays_out_every_module_and_marks_the_account() {
    for answer in [
        "fitness_goals = '{run 5k}'",
        "dietary_restrictions = '{vegan}'",
        "fitness_goals = '{sleep}', dietary_restrictions = '{halal}', height_cm = 170",
        // Nothing to restrict is an answer too.
        "dietary_restrictions = '{}'",
    ] {
        let mut stage = Stage::new();
        let profile = stage.ada.profile_id;
        stage.run("update public.wt_profiles set height_cm = 171");
        assert!(stage.modules(profile).is_empty() && !stage.is_onboarded(), "a height is no answer");
        stage.run(&format!("update public.wt_profiles set {answer}"));
        assert_eq!(stage.modules(profile), all_modules(), "{answer}");
        assert!(stage.is_onboarded(), "{answer}");
    }
}

#[test]
fn toggles_made_before_the_first_answer_stay() {
    let mut stage = Stage::new();
    let profile = stage.ada.profile_id;
    stage.run(&format!(
        "insert into public.wt_profile_modules (profile_id, module_name, enabled, tile_order)
         values ('{profile}', 'meals', false, 7)"
    ));
    stage.run("update public.wt_profiles set fitness_goals = '{strength}'");
    let mut expected = all_modules();
    expected[0] = ("meals".to_owned(), 7, false);
    expected.sort_by_key(|(name, place, _)| (*place, MODULES.iter().position(|module| module == name)));
    assert_eq!(stage.modules(profile), expected);
}

#[test]
fn a_removed_module_does_not_come_back_and_a_toggle_is_not_undone() {
    let mut stage = Stage::new();
    let profile = stage.ada.profile_id;
    stage.run("update public.wt_profiles set fitness_goals = '{run}'");
    stage.run("delete from public.wt_profile_modules where module_name = 'pantry'");
    stage.run("update public.wt_profile_modules set enabled = false where module_name = 'plans'");
    let kept = stage.modules(profile);
    assert_eq!(kept.len(), 9);
    for again in [
        "fitness_goals = '{swim}'",
        "fitness_goals = null, dietary_restrictions = null",
        "fitness_goals = '{}', dietary_restrictions = '{}'",
    ] {
        stage.run(&format!("update public.wt_profiles set {again}"));
        assert_eq!(stage.modules(profile), kept, "{again}");
    }
    stage.run("update public.wt_users set onboarding_completed = false");
    stage.run("update public.wt_profiles set fitness_goals = '{row}'");
    assert!(!stage.is_onboarded(), "onboarding is marked once; asking for it again is the person's choice");
}

#[test]
fn dependents_get_modules_of_their_own_and_leave_the_account_as_it_is() {
    let mut stage = Stage::new();
    let asked_later = stage.dependent("", "");
    assert!(stage.modules(asked_later).is_empty());
    stage
        .run(&format!("update public.wt_profiles set fitness_goals = '{{grow}}' where id = '{asked_later}'"));
    let asked_at_once = stage.dependent(", dietary_restrictions", ", '{nuts}'");
    for dependent in [asked_later, asked_at_once] {
        assert_eq!(stage.modules(dependent), all_modules());
    }
    assert!(stage.modules(stage.ada.profile_id).is_empty());
    assert!(!stage.is_onboarded(), "a dependent's answers are not the account's");
}

#[test]
fn the_service_can_onboard_somebody_too() {
    let mut stage = Stage::new();
    let mut service = stage.db.api(Caller::Service);
    service
        .execute(
            "update public.wt_profiles set fitness_goals = '{run}' where id = $1",
            &[&stage.ada.profile_id],
        )
        .expect("the service writes profiles");
    assert_eq!(stage.modules(stage.ada.profile_id), all_modules());
    assert!(stage.is_onboarded());
}

#[test]
fn the_primary_profile_goes_with_the_account_and_dependents_go_when_asked() {
    let mut stage = Stage::new();
    let dependent = stage.dependent(", fitness_goals", ", '{grow}'");
    let primary = format!("delete from public.wt_profiles where id = '{}'", stage.ada.profile_id);
    assert_eq!(sqlstate(stage.client.batch_execute(&primary)), "23001");
    assert_eq!(sqlstate(stage.client.batch_execute("delete from public.wt_profiles")), "23001");
    assert_eq!(sqlstate(stage.db.api(Caller::Service).batch_execute(&primary)), "23001");
    assert_eq!(stage.modules(dependent).len(), 10, "a refused delete takes nothing with it");

    stage.run(&format!("delete from public.wt_profiles where id = '{dependent}'"));
    assert!(stage.modules(dependent).is_empty());
    let left: i64 = stage
        .client
        .query_one("select count(*) from public.wt_profiles", &[])
        .expect("people read profiles")
        .get(0);
    assert_eq!(left, 1);
}
