//! Flow 1, first half: a signup makes an account and its primary profile, whatever the person sends along.
//!
//! Promises: no metadata fails a signup, nothing is half made, and neither GoTrue's role nor clients can make anything
//! but a free account. Stops where onboarding begins (`onboarding`).

use postgres::{Client, NoTls};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::RefCell;
use uuid::Uuid;
use welltrack_tests::{Caller, TestDb, sqlstate};

/// The account and the profiles of somebody: display name, avatar and time zone of the account, then per profile
/// type, primary flag and display name.
struct Account {
    display_name: String,
    avatar_url: Option<String>,
    timezone: String,
    profiles: Vec<(String, bool, String)>,
}

fn account(admin: &mut Client, user_id: Uuid) -> Account {
    let account = admin
        .query_one(
            "select display_name, avatar_url, timezone from public.wt_users
             where id = $1 and user_id = $1 and plan_tier = 'free' and not onboarding_completed",
            &[&user_id],
        )
        .expect("a signup makes one account: free, not onboarded");
    let profiles = admin
        .query(
            "select profile_type::text, is_primary, display_name from public.wt_profiles where user_id = $1",
            &[&user_id],
        )
        .expect("the superuser reads everything");
    Account {
        display_name: account.get(0),
        avatar_url: account.get(1),
        timezone: account.get(2),
        profiles: profiles.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
    }
}

#[test]
fn email_phone_and_anonymous_signups_each_make_one_account_with_one_primary_profile() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let cases = [
        (json!({"email": "ada@example.org"}), "ada"),
        (json!({"phone": "4915112345678"}), "Member"),
        (json!({"is_anonymous": true}), "Member"),
        (json!({"is_anonymous": true, "raw_user_meta_data": {}}), "Member"),
        (
            json!({"email": "g@example.org", "raw_user_meta_data": {"full_name": "Grace Hopper"}}),
            "Grace Hopper",
        ),
    ];
    for (fields, name) in cases {
        let person = db.sign_up_with(&fields);
        let account = account(&mut admin, person.user_id);
        assert_eq!(account.display_name, name, "{fields}");
        assert_eq!(account.timezone, "UTC", "{fields}");
        assert_eq!(account.profiles, [("parent".to_owned(), true, name.to_owned())], "{fields}");
    }
}

#[test]
fn what_the_metadata_says_well_is_taken_over() {
    let db = TestDb::new();
    let person = db.sign_up_with(&json!({"email": "ada@example.org", "raw_user_meta_data": {
        "name": "  Ada\tLovelace ", "avatar_url": "https://example.org/ada.png", "timezone": "Europe/London"}}));
    let account = account(&mut db.admin(), person.user_id);
    assert_eq!(account.display_name, "Ada Lovelace");
    assert_eq!(account.avatar_url.as_deref(), Some("https://example.org/ada.png"));
    assert_eq!(account.timezone, "Europe/London");
}

/// JSON text of any shape that `jsonb` can hold (it can't hold U+0000, so GoTrue would not get as far).
fn hostile_metadata() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[^\u{0}]{0,40}",
        "[\u{1}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{feff}]{0,20}",
        "[^\u{0}]{1000,4000}",
        "(https?|javascript|data|HTTP)://?[^\u{0}]{0,3000}",
        "(Europe/Berlin|europe/berlin|EST5EDT|UTC|Mars/Phobos|\\.\\./\\.\\./etc/passwd|\\+25:00)?",
    ];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let tree = leaf.prop_recursive(4, 30, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,8}", inner, 0..6).prop_map(|map| json!(map)),
        ]
    });
    let known = prop::sample::select(vec![
        "full_name",
        "name",
        "display_name",
        "user_name",
        "avatar_url",
        "picture",
        "timezone",
        "zoneinfo",
    ]);
    prop_oneof![
        6 => prop::collection::hash_map(known, tree.clone(), 0..8).prop_map(|map| json!(map).to_string()),
        2 => tree.prop_map(|json| json.to_string()),
        1 => (1usize..3000).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1usize..2000).prop_map(|d| format!("{}1{}", r#"{"name":"#.repeat(d), "}".repeat(d))),
        1 => Just(r#"{"name": 1e400, "timezone": -1e-9999, "avatar_url": 123456789012345678901234567890}"#.to_owned()),
    ]
}

/// What must not be in a name that stands next to other people's.
fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn no_metadata_fails_a_signup_or_spoils_the_account() {
    let db = TestDb::new();
    let gotrue =
        RefCell::new(db.config_as("supabase_auth_admin").connect(NoTls).expect("GoTrue's role may connect"));
    let admin = RefCell::new(db.admin());
    let email = prop_oneof![
        3 => "[a-z]{1,12}@example\\.org".prop_map(Some),
        1 => "[^\u{0}]{0,200}".prop_map(Some),
        1 => Just(None),
    ];
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
        .run(&(hostile_metadata(), email), |(metadata, email)| {
            let user_id = Uuid::new_v4();
            // One account for one address; the number keeps them apart.
            let email = email.map(|email| format!("{email}{}", user_id.as_fields().0));
            gotrue
                .borrow_mut()
                .execute(
                    "insert into auth.users (id, aud, role, email, raw_user_meta_data)
                     values ($1, 'authenticated', 'authenticated', $2, $3::text::jsonb)",
                    &[&user_id, &email, &metadata],
                )
                .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            let account = account(&mut admin.borrow_mut(), user_id);
            prop_assert!((1..=80).contains(&account.display_name.chars().count()));
            prop_assert!(!account.display_name.contains(misleads), "{:?}", account.display_name);
            prop_assert!(account.avatar_url.is_none_or(|url| url.starts_with("http")));
            prop_assert!(!account.timezone.contains(".."));
            prop_assert_eq!(account.profiles, [("parent".to_owned(), true, account.display_name)]);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_signup_that_cant_be_finished_leaves_nothing_behind() {
    let db = TestDb::new();
    for table in ["wt_profiles", "wt_users"] {
        db.admin()
            .batch_execute(&format!(
                "alter table public.{table} add constraint closed check (false) not valid"
            ))
            .expect("the stage is set");
        let tried =
            db.config_as("supabase_auth_admin").connect(NoTls).expect("GoTrue's role may connect").execute(
                "insert into auth.users (id, email) values (gen_random_uuid(), 'late@example.org')",
                &[],
            );
        assert_eq!(sqlstate(tried), "23514");
        let left: i64 = db
            .admin()
            .query_one(
                "select (select count(*) from auth.users) + (select count(*) from public.wt_users)
                        + (select count(*) from public.wt_profiles)
                        + (select count(*) from public.wt_audit_log where user_id is not null)",
                &[],
            )
            .expect("the superuser reads everything")
            .get(0);
        assert_eq!(left, 0, "{table}");
    }
}

#[test]
fn the_signup_role_makes_free_accounts_with_a_primary_profile_and_nothing_else() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.org");
    let mut gotrue = db.config_as("supabase_auth_admin").connect(NoTls).expect("GoTrue's role may connect");
    let id = person.user_id;
    let refused = [
        ("select 1 from public.wt_users", "42501"),
        ("select 1 from public.wt_profiles", "42501"),
        ("update public.wt_users set plan_tier = 'pro'", "42501"),
        ("update public.wt_profiles set display_name = 'Eve'", "42501"),
        ("delete from public.wt_users", "42501"),
        ("delete from public.wt_profiles", "42501"),
        ("truncate public.wt_users cascade", "42501"),
        ("insert into public.wt_users (id, display_name, plan_tier) values ('{id}', 'Eve', 'pro')", "42501"),
        (
            "insert into public.wt_users (id, display_name, onboarding_completed) values ('{id}', 'Eve', true)",
            "42501",
        ),
        ("insert into public.wt_profiles (user_id, display_name) values ('{id}', 'Eve')", "42501"),
        (
            "insert into public.wt_profiles (user_id, profile_type, is_primary, display_name) values ('{id}', 'dependent', false, 'Eve')",
            "42501",
        ),
        (
            "insert into public.wt_profiles (user_id, profile_type, is_primary, display_name) values ('{id}', 'parent', true, 'Eve')",
            "23505",
        ),
        (
            "insert into public.wt_profile_modules (user_id, profile_id, module_name) values ('{id}', '{id}', 'meals')",
            "42501",
        ),
    ];
    for (statement, code) in refused {
        let statement = statement.replace("{id}", &id.to_string());
        assert_eq!(sqlstate(gotrue.batch_execute(&statement)), code, "{statement}");
    }
    let granted: Vec<String> = db
        .admin()
        .query(
            "select c.relname::text from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
               and has_any_column_privilege('supabase_auth_admin', c.oid, 'select, insert, update, references')
             order by 1",
            &[],
        )
        .expect("rights can be asked for")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(granted, ["wt_profiles", "wt_users"]);
}

#[test]
fn people_cant_raise_their_plan_or_choose_their_primary_profile() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.org");
    let mut client = db.api(person.caller());
    for statement in [
        "update public.wt_users set plan_tier = 'enterprise'",
        "update public.wt_users set id = gen_random_uuid()",
        "insert into public.wt_users (id, display_name) values (gen_random_uuid(), 'Eve')",
        "delete from public.wt_users",
        "update public.wt_profiles set is_primary = false, profile_type = 'dependent'",
        "update public.wt_profiles set modules_provisioned_at = null",
        "insert into public.wt_profiles (display_name, profile_type, is_primary) values ('Eve', 'parent', true)",
        "insert into public.wt_profiles (display_name, profile_type) values ('Eve', 'dependent')",
    ] {
        assert_eq!(sqlstate(client.batch_execute(statement)), "42501", "{statement}");
    }
    let service = db.api(Caller::Service).execute("update public.wt_users set plan_tier = 'pro'", &[]);
    assert_eq!(service.expect("billing writes through the service"), 1);
}

#[test]
fn a_time_zone_is_one_that_the_server_knows() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.org");
    let mut client = db.api(person.caller());
    let mut set = |zone: &str| client.execute("update public.wt_users set timezone = $1", &[&zone]);
    for zone in
        ["Mars/Phobos", "", " ", "UTC+25", "+02:00", "EST5EDT4", "../UTC", "localtime ", "Europe/Berlin\n"]
    {
        assert_eq!(sqlstate(set(zone)), "23514", "{zone:?}");
    }
    assert_eq!(sqlstate(set(&"Europe/".repeat(5000))), "23514");
    for zone in ["Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Ushuaia", "UTC"] {
        assert_eq!(set(zone).expect("a zone of the IANA list is taken"), 1, "{zone}");
    }
}
