//! Strava: what its webhook says, and what its API answers to whoever then asks.
//!
//! Promises: nothing Strava sends makes these functions panic; an event that isn't understood is still one that can be
//! stored and recognised when it comes again. An event carries no reading: it names an activity, which the API then
//! shows ([`activity`]). Stops at the network: who asks, when, and with whose token is the functions' business.

pub mod activity;
pub mod limits;
pub mod signature;

use serde_json::Value;

use super::canonical;
use super::secret::same_secret;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new activity.
    ActivityCreated {
        /// Its id.
        id: u64,
        /// Whose it is.
        athlete: u64,
    },
    /// Title, sport or privacy of an activity changed.
    ActivityUpdated {
        /// Its id.
        id: u64,
        /// Whose it is.
        athlete: u64,
    },
    /// An activity is gone.
    ActivityDeleted {
        /// Its id.
        id: u64,
        /// Whose it was.
        athlete: u64,
    },
    /// The athlete took back consent.
    Deauthorized {
        /// Who.
        athlete: u64,
    },
    /// Nothing that asks for anything, or nothing that is understood.
    Other,
}

impl Event {
    /// Reads an event's body.
    ///
    /// ```
    /// # use welltrack_core::providers::strava::Event;
    /// let body = serde_json::json!({"object_type": "activity", "aspect_type": "create", "object_id": 7, "owner_id": 3});
    /// assert_eq!(Event::read(&body), Event::ActivityCreated { id: 7, athlete: 3 });
    /// ```
    #[must_use]
    pub fn read(body: &Value) -> Self {
        let Some(athlete) = body["owner_id"].as_u64() else { return Event::Other };
        let id = body["object_id"].as_u64();
        let words = (body["object_type"].as_str(), body["aspect_type"].as_str(), id);
        match words {
            (Some("activity"), Some("create"), Some(id)) => Event::ActivityCreated { id, athlete },
            (Some("activity"), Some("update"), Some(id)) => Event::ActivityUpdated { id, athlete },
            (Some("activity"), Some("delete"), Some(id)) => Event::ActivityDeleted { id, athlete },
            // Both shapes have been seen.
            (Some("athlete"), Some("delete"), _) => Event::Deauthorized { athlete },
            (Some("athlete"), Some("update"), _) if is_false(&body["updates"]["authorized"]) => {
                Event::Deauthorized { athlete }
            }
            _ => Event::Other,
        }
    }
}

/// Values of `updates` are texts; a plain `false` can't be meant otherwise.
fn is_false(value: &Value) -> bool {
    value == "false" || value == false
}

/// An event on its way into the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `<object_type>.<aspect_type>`, such as `activity.create`; `unknown` for a word that can't be one of Strava's.
    pub event_type: String,
    /// The athlete.
    pub provider_user_id: Option<String>,
    /// What the same event has when it is sent again: 64 hex digits.
    pub idempotency_key: String,
    /// The subscription through which it came.
    pub subscription_id: Option<u64>,
}

impl Notification {
    /// Reads an event's body.
    #[must_use]
    pub fn read(body: &Value) -> Self {
        Notification {
            event_type: format!("{}.{}", word(&body["object_type"]), word(&body["aspect_type"])),
            provider_user_id: body["owner_id"].as_u64().map(|id| id.to_string()),
            idempotency_key: canonical::idempotency_key("strava|", body),
            subscription_id: body["subscription_id"].as_u64(),
        }
    }
}

fn word(value: &Value) -> &str {
    const LONGEST: usize = 24;
    let is_word =
        |word: &&str| word.len() <= LONGEST && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    value.as_str().filter(|word| !word.is_empty()).filter(is_word).unwrap_or("unknown")
}

/// Answers a subscription's challenge: what `hub.challenge` holds, if the caller knows the verify token.
///
/// `query` gives the value of a parameter of the request.
#[must_use]
pub fn challenge(query: impl Fn(&str) -> Option<String>, verify_token: &str) -> Option<String> {
    let knows = same_secret(query("hub.verify_token")?.as_bytes(), verify_token.as_bytes());
    let subscribes = query("hub.mode").is_some_and(|mode| mode == "subscribe");
    query("hub.challenge").filter(|_| knows && subscribes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(object: &str, aspect: &str, updates: Value) -> Value {
        json!({"object_type": object, "object_id": 12, "aspect_type": aspect, "owner_id": 7, "subscription_id": 1,
               "event_time": 1_700_000_000, "updates": updates})
    }

    #[test]
    fn each_kind_of_event_is_told_apart() {
        let (id, athlete) = (12, 7);
        for (body, expected) in [
            (event("activity", "create", json!({})), Event::ActivityCreated { id, athlete }),
            (event("activity", "update", json!({"private": "true"})), Event::ActivityUpdated { id, athlete }),
            (event("activity", "delete", json!({})), Event::ActivityDeleted { id, athlete }),
            (event("athlete", "update", json!({"authorized": "false"})), Event::Deauthorized { athlete }),
            (event("athlete", "delete", json!({})), Event::Deauthorized { athlete }),
            (event("athlete", "update", json!({"authorized": "true"})), Event::Other),
            (event("athlete", "update", json!({"weight": "70"})), Event::Other),
            (event("segment", "create", json!({})), Event::Other),
            (
                json!({"object_type": "activity", "aspect_type": "create", "object_id": "12", "owner_id": 7}),
                Event::Other,
            ),
            (json!([]), Event::Other),
        ] {
            assert_eq!(Event::read(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_notification_says_what_it_is_and_whose() {
        let body = event("activity", "create", json!({}));
        let read = Notification::read(&body);
        assert_eq!(
            (read.event_type.as_str(), read.provider_user_id.as_deref()),
            ("activity.create", Some("7"))
        );
        assert_eq!(read.subscription_id, Some(1));
        assert_ne!(
            read.idempotency_key,
            Notification::read(&event("activity", "update", json!({}))).idempotency_key
        );
        let hostile = Notification::read(&json!({"object_type": "x".repeat(100), "aspect_type": "a b\0"}));
        assert_eq!((hostile.event_type.as_str(), hostile.provider_user_id), ("unknown.unknown", None));
    }

    #[test]
    fn a_challenge_is_answered_only_to_who_knows_the_token() {
        let ask = |pairs: &'static [(&str, &str)]| {
            challenge(
                |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
                "secret",
            )
        };
        let right = &[
            ("hub.mode", "subscribe"),
            ("hub.verify_token", "secret"),
            ("hub.challenge", "15f7d1a91c1f40f8"),
        ];
        assert_eq!(ask(right).as_deref(), Some("15f7d1a91c1f40f8"));
        assert_eq!(
            ask(&[("hub.mode", "subscribe"), ("hub.verify_token", "Secret"), ("hub.challenge", "1")]),
            None
        );
        assert_eq!(
            ask(&[("hub.mode", "unsubscribe"), ("hub.verify_token", "secret"), ("hub.challenge", "1")]),
            None
        );
        assert_eq!(ask(&[("hub.mode", "subscribe"), ("hub.verify_token", "secret")]), None);
        assert_eq!(ask(&[]), None);
    }

    proptest! {
        #[test]
        fn any_text_makes_a_type_that_the_queue_takes(object: String, aspect: String) {
            let event_type = Notification::read(&json!({"object_type": object, "aspect_type": aspect})).event_type;
            prop_assert!((1..=64).contains(&event_type.len()) && event_type.is_ascii());
        }
    }
}
