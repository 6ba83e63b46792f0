//! What Strava knows and announces: activities, webhook events, and the signature over them.
//!
//! Promises: Strava's own keys and types (`updates` are strings, times are epoch seconds), unknown keys among them. An
//! event carries no reading: whoever wants one fetches the activity.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

/// An activity as Strava keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Its id, unique among all athletes.
    pub id: u64,
    /// Whose it is.
    pub athlete: u64,
    /// What the athlete calls it.
    pub name: String,
    /// Such as `Run`, `Ride`, `Swim`.
    pub sport: String,
    /// Epoch seconds.
    pub start: i64,
    /// Seconds east of UTC, for the local time beside.
    pub offset: i32,
    /// Seconds in motion.
    pub moving: u32,
    /// Seconds from start to end.
    pub elapsed: u32,
    /// Metres.
    pub distance: Option<f64>,
    /// Metres upwards.
    pub climb: Option<f64>,
    /// Beats per minute.
    pub average_hr: Option<f64>,
    /// Beats per minute.
    pub max_hr: Option<f64>,
    /// Kilocalories.
    pub calories: Option<f64>,
    /// Seen only by applications that may read all.
    pub is_private: bool,
    /// So many reads answer 404 before it can be seen, as it happens just after it was made.
    #[serde(default)]
    pub not_yet: u32,
}

impl Activity {
    /// A run of ten minutes of which nothing but the time was measured.
    #[must_use]
    pub fn timed(id: u64, athlete: u64) -> Self {
        Self {
            id,
            athlete,
            name: "An outing".into(),
            sport: "Run".into(),
            start: 1_740_000_000,
            offset: 0,
            moving: 600,
            elapsed: 600,
            distance: None,
            climb: None,
            average_hr: None,
            max_hr: None,
            calories: None,
            is_private: false,
            not_yet: 0,
        }
    }

    /// As the API shows it; what was not measured is left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let time = |seconds: i64| Timestamp::from_second(seconds).map_or(String::new(), |t| t.to_string());
        let mut json = json!({
            "resource_state": 3,
            "id": self.id,
            "athlete": {"id": self.athlete, "resource_state": 1},
            "name": self.name,
            "type": self.sport,
            "sport_type": self.sport,
            "moving_time": self.moving,
            "elapsed_time": self.elapsed,
            "start_date": time(self.start),
            "start_date_local": time(self.start + i64::from(self.offset)),
            "utc_offset": self.offset,
            "manual": false,
            "private": self.is_private,
            "visibility": if self.is_private { "only_me" } else { "everyone" },
            "kudos_count": 0,
            "gear_id": null,
            "stand_in_unknown_key": {"nested": [1, null, "x"]},
        });
        for (key, value) in [
            ("distance", self.distance),
            ("total_elevation_gain", self.climb),
            ("average_heartrate", self.average_hr),
            ("max_heartrate", self.max_hr),
            ("calories", self.calories),
        ] {
            if let Some(value) = value {
                json[key] = json!(value);
            }
        }
        json
    }
}

/// The events that Strava tells.
#[derive(Clone, Debug, PartialEq)]
pub enum News<'a> {
    /// An activity is there.
    Created(&'a Activity),
    /// Something about it changed: its title, its sport, or `private`.
    Updated(&'a Activity, Vec<(&'static str, String)>),
    /// It is gone.
    Deleted(&'a Activity),
    /// The athlete took back consent, as an update of the athlete.
    Deauthorized(u64),
    /// The same, in the other shape that is seen.
    AthleteDeleted(u64),
}

impl News<'_> {
    /// The event's body.
    #[must_use]
    pub fn to_json(&self, subscription: u64, event_time: i64) -> Value {
        let (object, id, aspect, owner) = match self {
            News::Created(a) => ("activity", a.id, "create", a.athlete),
            News::Updated(a, _) => ("activity", a.id, "update", a.athlete),
            News::Deleted(a) => ("activity", a.id, "delete", a.athlete),
            News::Deauthorized(athlete) => ("athlete", *athlete, "update", *athlete),
            News::AthleteDeleted(athlete) => ("athlete", *athlete, "delete", *athlete),
        };
        let updates: Value = match self {
            News::Updated(_, updates) => updates.iter().map(|(key, value)| (*key, value.clone())).collect(),
            News::Deauthorized(_) => json!({"authorized": "false"}),
            _ => json!({}),
        };
        json!({
            "object_type": object,
            "object_id": id,
            "aspect_type": aspect,
            "owner_id": owner,
            "subscription_id": subscription,
            "event_time": event_time,
            "updates": updates,
        })
    }
}

/// The header `X-Strava-Signature` for `body`, made at `time` (epoch seconds).
///
/// # Panics
///
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn signature(secret: &str, time: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the command line: `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        assert_eq!(
            signature("secret", 1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }

    #[test]
    fn updates_are_strings_and_a_deauthorization_has_two_shapes() {
        let update = News::Deauthorized(7).to_json(1, 2);
        assert_eq!(update["updates"]["authorized"], "false");
        assert_eq!((&update["object_type"], &update["aspect_type"]), (&json!("athlete"), &json!("update")));
        let delete = News::AthleteDeleted(7).to_json(1, 2);
        assert_eq!((&delete["aspect_type"], &delete["owner_id"]), (&json!("delete"), &json!(7)));
    }
}
