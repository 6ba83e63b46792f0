//! Sign-ups: hostile metadata never fails and never gets through.

use proptest::prelude::*;
use serde_json::{Value, json};
use welltrack_core::signup::{MAX_NAME, MAX_URL, NewUser, new_user};

fn is_timezone(name: &str) -> bool {
    name == "Europe/Berlin"
}

fn person(metadata: &Value, email: Option<&str>) -> NewUser {
    new_user(Some(&metadata.to_string()), email, is_timezone)
}

fn name(metadata: &Value) -> String {
    person(metadata, None).display_name
}

#[test]
fn the_first_usable_name_wins() {
    assert_eq!(
        name(&json!({"full_name": "Ada Lovelace", "name": "Ada", "user_name": "ada1"})),
        "Ada Lovelace"
    );
    assert_eq!(
        name(&json!({"full_name": "  ", "name": 7, "display_name": null, "user_name": "ada1"})),
        "ada1"
    );
    assert_eq!(
        name(&json!({"full_name": ["Ada"], "display_name": {"a": 1}, "name": "\u{200d}\u{fe0f}"})),
        "Member"
    );
}

#[test]
fn without_a_name_the_email_speaks_and_without_an_email_everyone_is_a_member() {
    assert_eq!(person(&json!({}), Some("ada.lovelace@example.com")).display_name, "ada.lovelace");
    assert_eq!(person(&json!({}), Some("@example.com")).display_name, "Member");
    assert_eq!(
        new_user(None, None, is_timezone),
        NewUser { display_name: "Member".to_owned(), avatar_url: None, timezone: "UTC".to_owned() }
    );
}

#[test]
fn names_are_cleaned_of_what_deceives_the_eye_and_keep_what_shapes_letters() {
    assert_eq!(name(&json!({"name": "\t Ada\r\n \u{2028}Lovelace\u{0}\u{7}\u{9f} "})), "Ada Lovelace");
    assert_eq!(name(&json!({"name": "\u{202e}evil\u{2066}\u{feff}\u{200b}"})), "evil");
    assert_eq!(name(&json!({"name": "👩\u{200d}🔬 نمی\u{200c}دانم"})), "👩\u{200d}🔬 نمی\u{200c}دانم");
}

#[test]
fn names_end_at_eighty_characters() {
    assert_eq!(name(&json!({"name": "é".repeat(1_000_000)})), "é".repeat(MAX_NAME));
    assert_eq!(name(&json!({"name": format!("{} b", "a".repeat(MAX_NAME - 1))})), "a".repeat(MAX_NAME - 1));
}

#[test]
fn only_web_addresses_become_avatars() {
    let avatar = |url: &str| person(&json!({"avatar_url": url}), None).avatar_url;
    for url in ["https://example.com/a.png", "http://x", "https://例え.jp/?a=b#c"] {
        assert_eq!(avatar(url).as_deref(), Some(url));
    }
    for url in [
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "HTTPS://example.com",
        "https://a b",
        "https://a\u{202e}",
        "",
    ] {
        assert_eq!(avatar(url), None, "{url}");
    }
    assert_eq!(avatar(&format!("https://{}", "a".repeat(MAX_URL))), None);
    assert_eq!(
        person(&json!({"avatar_url": 1, "picture": "https://p"}), None).avatar_url.as_deref(),
        Some("https://p")
    );
}

#[test]
fn only_zones_that_the_server_knows_are_kept() {
    assert_eq!(person(&json!({"timezone": "Europe/Berlin"}), None).timezone, "Europe/Berlin");
    assert_eq!(
        person(&json!({"timezone": "Mars/Olympus", "zoneinfo": "Europe/Berlin"}), None).timezone,
        "Europe/Berlin"
    );
    assert_eq!(person(&json!({"timezone": ["Europe/Berlin"]}), None).timezone, "UTC");
}

#[test]
fn metadata_that_is_no_object_is_as_if_there_were_none() {
    for metadata in ["[]", "null", "7", "\"name\"", "", "{", "{\"name\": \"a\", \"name\": \"b\"}"] {
        assert_eq!(new_user(Some(metadata), None, is_timezone).display_name, "Member", "{metadata}");
    }
    let bomb = format!(r#"{{"deep": {}{}, "name": "Ada"}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(new_user(Some(&bomb), None, is_timezone).display_name, "Ada");
}

fn keys() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "full_name",
        "name",
        "display_name",
        "user_name",
        "avatar_url",
        "picture",
        "timezone",
    ])
    .prop_map(str::to_owned)
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,200}".prop_map(Value::from),
        "https?://.{0,40}".prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!([[{"name": "x"}]])),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_in_a_row_that_the_table_accepts_comes_out(
        metadata in proptest::collection::hash_map(keys(), values(), 0..7),
        email in proptest::option::of(".{0,100}"),
    ) {
        let person = person(&json!(metadata), email.as_deref());
        let length = person.display_name.chars().count();
        prop_assert!((1..=MAX_NAME).contains(&length));
        prop_assert!(!person.display_name.chars().any(char::is_control));
        prop_assert_eq!(person.display_name.trim(), &person.display_name);
        prop_assert!(person.timezone == "UTC" || is_timezone(&person.timezone));
        if let Some(url) = person.avatar_url {
            prop_assert!(url.starts_with("http://") || url.starts_with("https://"));
            prop_assert!(url.len() <= MAX_URL && !url.chars().any(char::is_whitespace));
        }
    }

    #[test]
    fn broken_json_never_fails_a_signup(metadata in ".{0,300}") {
        prop_assert!(!new_user(Some(&metadata), None, is_timezone).display_name.is_empty());
    }
}
