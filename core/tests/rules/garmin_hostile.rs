//! Garmin's pushes under attack: whatever is JSON becomes events, each summary once, and never a panic.

use jiff::tz::TimeZone;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use welltrack_core::providers::canonical::{canonical_json, storable};
use welltrack_core::providers::garmin::{Event, parse, split};

const TYPES: [&str; 7] = [
    "sleeps",
    "dailies",
    "stressDetails",
    "userMetrics",
    "deregistrations",
    "userPermissionsChange",
    "moods",
];

/// Any JSON, much of it with names that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..2_000_000_000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["AUTO_TENTATIVE", "2025-03-30", "g1", "-1"]).prop_map(Value::from),
    ];
    let key = prop_oneof![
        select(vec![
            "userId",
            "userAccessToken",
            "summaryId",
            "startTimeInSeconds",
            "durationInSeconds",
            "validation",
            "sleepLevelsMap",
            "deep",
            "endTimeInSeconds",
            "timeOffsetStressLevelValues",
            "averageStressLevel",
            "steps",
            "activeKilocalories",
            "vo2Max",
            "calendarDate",
            "permissions",
            "callbackURL",
            "awakeDurationInSeconds",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(key.clone(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An envelope of summaries that each carry a number of their own.
fn envelope() -> impl Strategy<Value = (Value, usize)> {
    let summary = (0..4_u8, 0..3_u8, any::<bool>());
    vec((select(TYPES.to_vec()), summary), 1..40).prop_map(|items| {
        let count = items.len();
        let mut types: Map<String, Value> = Map::new();
        for (number, (kind, (user, day, token))) in items.into_iter().enumerate() {
            let mut summary = json!({"startTimeInSeconds": 1_743_292_800 + i64::from(day) * 86_400, "number": number,
                                     "steps": number, "durationInSeconds": 3600, "vo2Max": 40, "calendarDate": "2025-03-30"});
            if user > 0 {
                summary["userId"] = json!(format!("g{user}"));
            }
            if token {
                summary["userAccessToken"] = json!("planted-token");
            }
            let list = types.entry(kind).or_insert_with(|| json!([]));
            list.as_array_mut().expect("a list").push(summary);
        }
        (Value::Object(types), count)
    })
}

fn payload(event: &Event) -> Value {
    serde_json::from_str(event.payload.get()).expect("a payload is JSON")
}

/// Every summary of the events, with its type and person.
fn summaries(events: &[Event]) -> Vec<(String, Option<String>, Value)> {
    let mut all = Vec::new();
    for event in events {
        let payload = payload(event);
        let list = payload[event.event_type.as_str()].as_array().expect("a list of that type").clone();
        all.extend(
            list.into_iter()
                .map(|summary| (event.event_type.clone(), event.provider_user_id.clone(), summary)),
        );
    }
    all
}

fn texts_of(readings: &Value) -> Vec<String> {
    let mut texts: Vec<String> = readings.as_array().into_iter().flatten().map(canonical_json).collect();
    texts.sort();
    texts
}

proptest! {
    #[test]
    fn any_json_is_at_least_one_event_and_parsing_it_never_panics(body in any_json()) {
        let events = split(body.to_string().as_bytes()).expect("JSON");
        prop_assert!(!events.is_empty());
        for event in &events {
            prop_assert_eq!(event.idempotency_key.len(), 64);
            prop_assert!(!event.payload.get().contains("\\u0000"), "jsonb can't hold it");
            for kind in TYPES {
                let _ = parse(kind, &payload(event), &TimeZone::UTC);
            }
        }
        for kind in TYPES {
            let parsed = parse(kind, &json!({ kind: [body.clone()] }), &TimeZone::UTC);
            prop_assert!(parsed.problems.len() <= 10);
        }
    }

    #[test]
    fn any_bytes_are_events_exactly_when_they_are_json(bytes in vec(any::<u8>(), 0..60), text in r#"[\[\]{}",:0-9a-z\\]{0,30}"#) {
        for body in [bytes.as_slice(), text.as_bytes()] {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() && std::str::from_utf8(body).is_ok();
            prop_assert_eq!(split(body).is_ok(), is_json);
        }
    }

    #[test]
    fn every_summary_is_in_one_event_of_its_type_and_person((body, count) in envelope()) {
        let events = split(body.to_string().as_bytes()).expect("JSON");
        let told = summaries(&events);
        let mut numbers: Vec<u64> = told.iter().filter_map(|(_, _, summary)| summary["number"].as_u64()).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..count as u64).collect::<Vec<_>>());
        for (kind, user, summary) in &told {
            prop_assert_eq!(user.as_deref(), summary["userId"].as_str());
            let sent = body[kind.as_str()].as_array().into_iter().flatten();
            prop_assert!(sent.into_iter().any(|sent| sent["number"] == summary["number"]));
        }
        let mut groups: Vec<_> = events.iter().map(|event| (&event.event_type, &event.provider_user_id)).collect();
        groups.sort();
        groups.dedup();
        prop_assert_eq!(groups.len(), events.len(), "one event for each type and person");
        prop_assert!(events.iter().all(|event| !event.payload.get().contains("planted-token")));
    }

    /// The oracle is the same body, read by another reader and written in another order.
    #[test]
    fn the_same_words_have_the_same_keys_however_they_are_written((body, _) in envelope()) {
        let keys = |text: &str| {
            let mut keys: Vec<String> =
                split(text.as_bytes()).expect("JSON").into_iter().map(|event| event.idempotency_key).collect();
            keys.sort();
            keys
        };
        let plain = keys(&body.to_string());
        prop_assert_eq!(&keys(&serde_json::to_string_pretty(&body).expect("JSON")), &plain);
        prop_assert_eq!(&keys(&backwards(&body)), &plain);
        let mut distinct = plain.clone();
        distinct.dedup();
        prop_assert_eq!(distinct, plain);
    }

    /// Most values are taken over as they are written. Nobody may see that: the keys of what is stored already depend on it.
    #[test]
    fn a_value_is_kept_as_the_canonical_text_of_what_it_means(value in spelling()) {
        let events = split(format!(r#"{{"moods": [{{"x": {value}}}]}}"#).as_bytes()).expect("JSON");
        // Beyond all bounds, or half a character: kept as its text.
        let meant = serde_json::from_str(&value).unwrap_or_else(|_| json!(value));
        prop_assert_eq!(events[0].payload.get(), canonical_json(&json!({"moods": [{"x": storable(meant)}]})));
    }

    #[test]
    fn the_order_of_summaries_changes_no_reading((body, _) in envelope()) {
        for kind in TYPES {
            let Some(list) = body[kind].as_array() else { continue };
            let reversed: Vec<Value> = list.iter().rev().cloned().collect();
            let readings = |list: &[Value]| json!(parse(kind, &json!({ kind: list }), &TimeZone::UTC).readings);
            prop_assert_eq!(texts_of(&readings(list)), texts_of(&readings(&reversed)));
        }
    }
}

/// JSON as nobody's library would write it: escapes where none are needed, numbers in every form.
fn spelling() -> impl Strategy<Value = String> {
    prop_oneof![
        any_json().prop_map(|value| value.to_string()),
        r#""([a-zé ]|\\u00[0-7][0-9a-f]|\\[/bfnrt"\\]|\\ud83d(\\ude00)?){0,6}""#,
        r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        "[1-9][0-9]{12,25}",
    ]
}

/// The same value, the keys of its objects in falling order.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .rev()
                .map(|(key, value)| format!("{} : {}", json!(key), backwards(value)))
                .collect();
            format!("{{ {} }}", fields.join(" , "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(backwards).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[test]
fn a_type_that_comes_twice_in_one_body_loses_neither_list() {
    let body =
        br#"{"dailies": [{"userId": "a", "n": 1}], "sleeps": [], "dailies": [{"userId": "a", "n": 2}]}"#;
    let events = split(body).expect("JSON");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].payload.get(), r#"{"dailies":[{"n":1,"userId":"a"},{"n":2,"userId":"a"}]}"#);
}

#[test]
fn what_is_no_envelope_is_kept_as_it_came() {
    for (body, kind, kept) in [
        ("[]", "unknown", "[]"),
        ("7", "unknown", "7"),
        ("{}", "unknown", "{}"),
        (r#"{"dailies": []}"#, "unknown", r#"{"dailies":[]}"#),
        (
            r#"{"dailies": {"userId": "a", "steps": 1}}"#,
            "dailies",
            r#"{"dailies":[{"steps":1,"userId":"a"}]}"#,
        ),
        (r#"{"dailies": "no"}"#, "dailies", r#"{"dailies":["no"]}"#),
        (r#"{"dailies": [7, null]}"#, "dailies", r#"{"dailies":[7,null]}"#),
    ] {
        let events = split(body.as_bytes()).expect("JSON");
        assert_eq!(
            (events.len(), events[0].event_type.as_str(), events[0].payload.get()),
            (1, kind, kept),
            "{body}"
        );
    }
}

#[test]
fn json_that_cannot_be_held_is_kept_as_its_text() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for odd in [deep.as_str(), r#""half \ud800 a character""#] {
        let body = format!(
            r#"{{"dailies": [{{"userId": "a", "steps": 1, "odd": {odd}, "userAccessToken": "t"}}]}}"#
        );
        let events = split(body.as_bytes()).expect("JSON");
        assert_eq!(events[0].provider_user_id.as_deref(), Some("a"));
        let payload = payload(&events[0]);
        assert_eq!(payload["dailies"][0]["odd"], json!(odd));
        assert_eq!(payload["dailies"][0]["userAccessToken"], Value::Null);
        assert_eq!(split(odd.as_bytes()).expect("JSON")[0].event_type, "unknown");
    }
}

#[test]
fn ids_are_texts_or_numbers_and_anything_else_is_nobodys() {
    for (id, expected) in [
        (json!("g1"), Some("g1".to_owned())),
        (json!(17), Some("17".to_owned())),
        (json!("a\u{0}"), Some("a\u{fffd}".to_owned())),
        (json!(""), None),
        (json!("x".repeat(256)), None),
        (json!(["g1"]), None),
        (json!(null), None),
    ] {
        let body = json!({"dailies": [{"userId": id}]}).to_string();
        assert_eq!(split(body.as_bytes()).expect("JSON")[0].provider_user_id, expected, "{id}");
    }
}

/// `printf 'garmin|dailies|a|{"dailies":[{"steps":1,"userId":"a"}]}' | sha256sum`
#[test]
fn the_key_is_the_sha256_that_the_command_line_gives() {
    let body = br#"{"dailies":[{"userId":"a","userAccessToken":"t","steps":1}]}"#;
    assert_eq!(
        split(body).expect("JSON")[0].idempotency_key,
        "146e9fc444ce22bc67ba3efc02f768e9757abf1a31f3285473bcee77b20fee92"
    );
}
