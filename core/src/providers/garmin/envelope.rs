//! A push as it arrives: `{"<type>": [{"userId", "summaryId", ...}, ...], ...}`, several types and people in one body.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::providers::canonical::{canonical_json, hex, storable, without_nul, write_text};

/// The event type of a body that is JSON and no envelope.
const UNKNOWN: &str = "unknown";
/// The longest account id that the database keeps, in characters.
const MAX_USER: usize = 255;

/// One row for `wt_webhook_events`; serialised as `receive_webhook_events` takes it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Event {
    /// Garmin's name of the type: `dailies`, `sleeps`, any other.
    pub event_type: String,
    /// Whom it is about, if it says so.
    pub provider_user_id: Option<String>,
    /// `{"<type>": [...]}` with that person's summaries in their order, as canonical JSON; without their access tokens.
    pub payload: Box<RawValue>,
    /// The same for the same words about the same person: 64 lower-case hex digits.
    pub idempotency_key: String,
}

/// The body is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not JSON")
    }
}

impl std::error::Error for NotJson {}

/// One event for each type and person of a push.
///
/// Whatever is JSON becomes at least one event: a summary without a `userId` one of nobody's, a body that is no envelope
/// one of type `unknown`. JSON that can't be held as it is (too deep, half a character, a number beyond all bounds) is
/// kept as its text.
///
/// ```
/// # use welltrack_core::providers::garmin::split;
/// let body = br#"{"dailies": [{"userId": "a", "steps": 1}, {"userId": "b", "steps": 2}]}"#;
/// let events = split(body).unwrap();
/// assert_eq!(events.len(), 2);
/// assert_eq!(events[1].payload.get(), r#"{"dailies":[{"steps":2,"userId":"b"}]}"#);
/// ```
///
/// # Errors
///
/// [`NotJson`]; nothing else is refused.
pub fn split(body: &[u8]) -> Result<Vec<Event>, NotJson> {
    let whole: &RawValue = serde_json::from_slice(body).map_err(|_| NotJson)?;
    let envelope = serde_json::from_str::<Entries<'_>>(whole.get()).unwrap_or_default();
    let mut groups: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
    for (event_type, value) in envelope.0 {
        // One summary where a list should stand is a list of one.
        let items = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value]);
        for item in items {
            let summary = Summary::read(item);
            let items = groups.entry((event_type.clone(), summary.user)).or_default();
            if !items.is_empty() {
                items.push(',');
            }
            items.push_str(&summary.text);
        }
    }
    if groups.is_empty() {
        return Ok(vec![event(UNKNOWN.to_owned(), None, canonical(whole))]);
    }
    let events = groups.into_iter().map(|((event_type, user), items)| {
        let mut payload = String::with_capacity(event_type.len() + items.len() + 8);
        payload.push('{');
        write_text(&event_type, &mut payload);
        payload.push_str(":[");
        payload.push_str(&items);
        payload.push_str("]}");
        event(event_type, user, payload)
    });
    Ok(events.collect())
}

fn event(event_type: String, provider_user_id: Option<String>, payload: String) -> Event {
    let user = provider_user_id.as_deref().unwrap_or_default();
    let key = Sha256::new().chain_update(format!("garmin|{event_type}|{user}|")).chain_update(&payload);
    Event {
        idempotency_key: hex(&key.finalize()),
        payload: RawValue::from_string(payload).expect("canonical JSON is JSON"),
        event_type,
        provider_user_id,
    }
}

/// One item of an envelope.
struct Summary {
    user: Option<String>,
    /// Canonical JSON.
    text: String,
}

impl Summary {
    fn read(item: &RawValue) -> Self {
        let Ok(Entries(entries)) = serde_json::from_str::<Entries<'_>>(item.get()) else {
            return Self { user: None, text: canonical(item) };
        };
        // Being retired by Garmin, and nobody else's to see. Of a key that comes twice the last word counts, as in jsonb.
        let fields: BTreeMap<String, &RawValue> =
            entries.into_iter().filter(|(key, _)| key != "userAccessToken").collect();
        let user = fields.get("userId").and_then(|value| user(value));
        let mut text = String::with_capacity(item.get().len());
        for (key, value) in &fields {
            text.push(if text.is_empty() { '{' } else { ',' });
            write_text(key, &mut text);
            text.push(':');
            write_canonical(value, &mut text);
        }
        text.push_str(if text.is_empty() { "{}" } else { "}" });
        Self { user, text }
    }
}

/// An account's id: a text, or a number as it is written.
fn user(value: &RawValue) -> Option<String> {
    let id = match serde_json::from_str::<Value>(value.get()).map(storable).ok()? {
        Value::String(id) => id,
        Value::Number(_) => value.get().to_owned(),
        _ => return None,
    };
    (!id.is_empty() && id.chars().nth(MAX_USER).is_none()).then_some(id)
}

fn canonical(value: &RawValue) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

/// Writes canonical JSON of the value, or of its text where it can't be held.
fn write_canonical(value: &RawValue, text: &mut String) {
    let raw = value.get();
    if is_canonical(raw) {
        text.push_str(raw);
        return;
    }
    match serde_json::from_str(raw) {
        Ok(value) => text.push_str(&canonical_json(&storable(value))),
        Err(_) => write_text(raw, text),
    }
}

/// Whether a value is sure to be written as it was read: nearly every one in a push is, and need not be taken apart.
fn is_canonical(raw: &str) -> bool {
    match raw.as_bytes() {
        // JSON allows no character in a text that has to be escaped and is not.
        [b'"', inner @ .., b'"'] => !inner.contains(&b'\\'),
        // Few enough to fit any number.
        digits if digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit) => true,
        word => matches!(word, b"true" | b"false" | b"null"),
    }
}

/// The fields of an object in their order, also those whose key comes twice.
#[derive(Default)]
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, _>()? {
                    entries.push((without_nul(key), value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
