//! One text for one JSON value, whatever order its sender wrote the keys in: what re-sent pushes are recognised by.
//!
//! Promises: equal values give equal texts, different values different ones. Stops at values: which of a push's fields
//! make it the same push is each provider's to say.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The value without spaces, the keys of every object in the order of their bytes.
///
/// ```
/// # use welltrack_core::providers::canonical::canonical_json;
/// let value = serde_json::json!({"b": [1, null], "a": "ä"});
/// assert_eq!(canonical_json(&value), r#"{"a":"ä","b":[1,null]}"#);
/// ```
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            // serde_json sorts them itself unless some crate of the build asked it to preserve their order.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            enclosed('{', fields, '}', text, |(key, value), text| {
                write_text(key, text);
                text.push(':');
                write(value, text);
            });
        }
        Value::Array(items) => enclosed('[', items, ']', text, write),
        plain => write!(text, "{plain}").expect("a String takes everything"),
    }
}

fn enclosed<T>(
    open: char,
    items: impl IntoIterator<Item = T>,
    close: char,
    text: &mut String,
    each: impl Fn(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        each(item, text);
    }
    text.push(close);
}

/// Writes a text as JSON.
pub(crate) fn write_text(plain: &str, text: &mut String) {
    text.push_str(&serde_json::to_string(plain).expect("a text can be written as JSON"));
}

/// SHA-256 of `scope` followed by the value's canonical text, as 64 lower-case hex digits. `scope` says whose push it is
/// (`strava|`), so that the same words of two providers or people stay two pushes.
#[must_use]
pub fn idempotency_key(scope: &str, payload: &Value) -> String {
    hex(&Sha256::new().chain_update(scope).chain_update(canonical_json(payload)).finalize())
}

/// Lower-case hex digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("below 16");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The value as Postgres's `jsonb` can hold it: U+0000, which JSON allows in texts and Postgres doesn't, becomes U+FFFD.
#[must_use]
pub fn storable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(storable).collect()),
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(key, value)| (without_nul(key), storable(value))).collect(),
        ),
        plain => plain,
    }
}

pub(crate) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    /// Any JSON value, a few levels deep.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Written as they are read: serde_json may read other numbers as their neighbours.
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_text_is_json_of_the_same_value(value in value()) {
            let again: Value = serde_json::from_str(&canonical_json(&value)).expect("canonical text is JSON");
            prop_assert_eq!(again, value);
        }

        #[test]
        fn what_is_storable_holds_no_nul_and_stays_what_it_was_otherwise(value in value()) {
            let stored = storable(value.clone());
            prop_assert!(!canonical_json(&stored).contains("\\u0000"));
            if !canonical_json(&value).contains("\\u0000") {
                prop_assert_eq!(stored, value);
            }
        }
    }

    #[test]
    fn the_order_of_keys_and_spaces_make_no_difference_and_anything_else_does() {
        let read = |text: &str| idempotency_key("x|", &serde_json::from_str(text).expect("JSON"));
        let key = read(r#"{"a": {"y": 1, "x": 2}, "b": [1, 2]}"#);
        assert_eq!(read(r#"{"b":[1,2],"a":{"x":2,"y":1}}"#), key);
        assert_ne!(read(r#"{"b":[2,1],"a":{"x":2,"y":1}}"#), key);
        assert_ne!(read(r#"{"b":[1,2],"a":{"x":"2","y":1}}"#), key);
        assert_ne!(idempotency_key("y|", &json!({"a": {"y": 1, "x": 2}, "b": [1, 2]})), key);
    }

    /// `printf 'strava|{"a":1,"b":2}' | sha256sum`
    #[test]
    fn the_key_is_the_sha256_that_the_command_line_gives() {
        assert_eq!(
            idempotency_key("strava|", &json!({"b": 2, "a": 1})),
            "3c5c989ded4d72eff52fc2bf8d93b79de4d5ee900dd1185fd5c2215a5ca81038"
        );
    }
}
