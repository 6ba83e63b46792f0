//! Valid payloads, spoilt: where their structure hurts most, then byte by byte.
//!
//! Promises: the same seed spoils in the same way. Stops at judgement: what may become of them is for the test to say.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde_json::{Map, Value, json};

/// Spoils `valid` a little or a lot.
pub(crate) fn mutate(valid: &Value, chance: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let mut value = valid.clone();
    for _ in 0..chance.random_range(0..4) {
        spoil(&mut value, chance);
    }
    let mut bytes = value.to_string().into_bytes();
    for _ in 0..[0, 0, 0, 1, 3][chance.random_range(0..5_usize)] {
        spoil_bytes(&mut bytes, chance);
    }
    bytes
}

/// Bytes that were never JSON.
pub(crate) fn noise(chance: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    (0..chance.random_range(0..600)).map(|_| chance.random()).collect()
}

/// Walks down at random and changes what it finds there.
fn spoil(value: &mut Value, chance: &mut Xoshiro256PlusPlus) {
    if chance.random_range(0..4) > 0 {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let index = chance.random_range(0..fields.len());
                if let Some(inner) = fields.values_mut().nth(index) {
                    return spoil(inner, chance);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let index = chance.random_range(0..items.len());
                return spoil(&mut items[index], chance);
            }
            _ => {}
        }
    }
    match chance.random_range(0..8) {
        0 => add(value, chance),
        1 => remove(value, chance),
        2 => *value = Value::Array(vec![value.take()]),
        3 => *value = Value::Object(Map::from_iter([("wrapped".to_owned(), value.take())])),
        4 => {
            let text = value.to_string();
            *value = json!(text);
        }
        _ => *value = hostile(chance),
    }
}

fn add(value: &mut Value, chance: &mut Xoshiro256PlusPlus) {
    match value {
        Value::Object(fields) => {
            let key = KEYS[chance.random_range(0..KEYS.len())];
            fields.insert(key.to_owned(), hostile(chance));
        }
        Value::Array(items) => {
            let item = items.first().cloned().unwrap_or_else(|| hostile(chance));
            items.extend(std::iter::repeat_n(item, chance.random_range(1..40)));
        }
        other => *other = hostile(chance),
    }
}

fn remove(value: &mut Value, chance: &mut Xoshiro256PlusPlus) {
    match value {
        Value::Object(fields) => {
            let key = fields.keys().nth(chance.random_range(0..fields.len().max(1))).cloned();
            if let Some(key) = key {
                fields.remove(&key);
            }
        }
        Value::Array(items) => items.clear(),
        other => *other = Value::Null,
    }
}

/// Keys that mean something somewhere, and some that look as if.
const KEYS: [&str; 16] = [
    "userId",
    "summaryId",
    "startTimeInSeconds",
    "durationInSeconds",
    "startTimeOffsetInSeconds",
    "validation",
    "sleepLevelsMap",
    "timeOffsetStressLevelValues",
    "callbackURL",
    "deregistrations",
    "dailies",
    "owner_id",
    "updates",
    "",
    "__proto__",
    "\u{202e}\u{feff}key",
];

fn hostile(chance: &mut Xoshiro256PlusPlus) -> Value {
    match chance.random_range(0..22) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(i64::MIN),
        5 => json!(u64::MAX),
        6 => json!(1e308),
        7 => json!(-5e-324),
        8 => json!(1.5),
        9 => json!(""),
        10 => json!("a\u{0}b"),
        11 => json!("\u{1}\u{7f}\u{85}\u{2028}\u{fffd}\u{10ffff}"),
        12 => json!("x".repeat(chance.random_range(1..70_000))),
        13 => json!("'; drop table wt_webhook_events; --"),
        14 => json!("NaN"),
        15 => json!("9999-12-31"),
        16 => json!([]),
        17 => json!({}),
        18 => json!({"-1": -5, "x": "y", "1e9": 3, "": null}),
        19 => json!("http://169.254.169.254/latest/meta-data"),
        20 => {
            let depth = [10, 100, 126, 200, 2000][chance.random_range(0..5_usize)];
            (0..depth).fold(json!(1), |inner, _| Value::Array(vec![inner]))
        }
        _ => {
            let many = chance.random_range(1..2000);
            Value::Object((0..many).map(|n| (format!("k{n}"), json!(n))).collect::<Map<_, _>>())
        }
    }
}

fn spoil_bytes(bytes: &mut Vec<u8>, chance: &mut Xoshiro256PlusPlus) {
    if bytes.is_empty() {
        return;
    }
    let at = chance.random_range(0..bytes.len());
    match chance.random_range(0..10) {
        0 => bytes[at] ^= 1 << chance.random_range(0..8),
        1 => bytes.truncate(at),
        2 => {
            let inserted: [u8; 4] = chance.random();
            bytes.splice(at..at, inserted);
        }
        3 => {
            let end = (at + chance.random_range(1..200_usize)).min(bytes.len());
            let copied = bytes[at..end].to_vec();
            bytes.splice(at..at, copied);
        }
        4 => {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        }
        5 => {
            let depth = chance.random_range(1..60_000);
            bytes.splice(0..0, std::iter::repeat_n(b'[', depth));
            bytes.extend(std::iter::repeat_n(b']', depth));
        }
        9 => replace_a(b"1", b"1e999", at, bytes),
        6 => replace_a(b"1", b"11111111111111111111111111111111111111111", at, bytes),
        7 => replace_a(b"\":\"", b"\":\"\\ud800", at, bytes),
        _ => replace_a(b"\":\"", b"\":\"\\u0000", at, bytes),
    }
}

/// Replaces the first `what` after `from`.
fn replace_a(what: &[u8], with: &[u8], from: usize, bytes: &mut Vec<u8>) {
    if let Some(offset) = bytes[from..].windows(what.len()).position(|window| window == what) {
        bytes.splice(from + offset..from + offset + what.len(), with.iter().copied());
    }
}

#[test]
fn spoiling_repeats_itself_and_leaves_many_payloads_well_formed() {
    use rand::SeedableRng;
    let valid = json!({"dailies": [{"userId": "g0", "steps": 1, "deep": {"a": [1, 2, 3]}}]});
    let all = |seed| {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..2_000).map(|_| mutate(&valid, &mut chance)).collect::<Vec<_>>()
    };
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
    let well_formed = all(1).iter().filter(|bytes| serde_json::from_slice::<Value>(bytes).is_ok()).count();
    assert!((800..1_800).contains(&well_formed), "{well_formed} of 2,000");
}
