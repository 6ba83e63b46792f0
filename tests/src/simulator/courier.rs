//! Pushes as the providers push: Garmin again and again until it reads exactly 200, Strava three times with two seconds
//! each.
//!
//! Promises: what a delivery says was acknowledged, was; every attempt is told with its answer and how long it took.
//! Stops at a limit that the caller sets: the real Garmin's patience is days.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest_0_12::Client;
use serde_json::{Value, json};

use super::Settings;
use super::strava::signature;
use super::strava_pages::unix_now;

/// How a provider insists.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long one answer may take.
    pub deadline: Duration,
    /// The wait after the first failure; it doubles with every further one.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// After so many attempts the provider gives up.
    pub attempts: u32,
}

impl Patience {
    /// Garmin's, at a pace for tests: 30 s for an answer, a thousand attempts, waits of 50 ms to 2 s.
    pub const GARMIN: Self = Self {
        deadline: Duration::from_secs(30),
        first_wait: Duration::from_millis(50),
        longest_wait: Duration::from_secs(2),
        attempts: 1000,
    };
    /// Strava's: three attempts, 2 s for an answer.
    pub const STRAVA: Self = Self {
        deadline: Duration::from_secs(2),
        first_wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(2),
        attempts: 3,
    };
}

/// What is pushed, byte for byte: a re-sent parcel is the same one.
#[derive(Clone, Debug)]
pub struct Parcel {
    body: Bytes,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Garmin,
    Strava,
}

/// What became of a parcel.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// In order; the last one decides.
    pub attempts: Vec<Attempt>,
}

/// One attempt to deliver.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The status, or what came instead of one.
    pub answer: Result<u16, String>,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl Parcel {
    /// A Garmin envelope.
    #[must_use]
    pub fn garmin(envelope: &Value) -> Self {
        Self { body: envelope.to_string().into(), kind: Kind::Garmin }
    }

    /// Bytes that Garmin's push service would never send.
    #[must_use]
    pub fn garmin_bytes(body: Vec<u8>) -> Self {
        Self { body: body.into(), kind: Kind::Garmin }
    }

    /// Bytes that Strava would never send, signed as if it did.
    #[must_use]
    pub fn strava_bytes(body: Vec<u8>) -> Self {
        Self { body: body.into(), kind: Kind::Strava }
    }

    /// A Strava event.
    #[must_use]
    pub fn strava(event: &Value) -> Self {
        Self { body: event.to_string().into(), kind: Kind::Strava }
    }

    /// Whether it goes to Strava's webhook and not to Garmin's.
    #[must_use]
    pub fn is_strava(&self) -> bool {
        self.kind == Kind::Strava
    }
}

impl Delivery {
    /// Whether the receiver said 200: from then on the provider never sends it again.
    #[must_use]
    pub fn acknowledged(&self) -> bool {
        matches!(self.attempts.last(), Some(Attempt { answer: Ok(200), .. }))
    }

    pub(super) fn summary(&self) -> Value {
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| {
                let took = attempt.took.as_millis() as u64;
                match &attempt.answer {
                    Ok(status) => json!({"status": status, "millis": took}),
                    Err(why) => json!({"error": why, "millis": took}),
                }
            })
            .collect();
        let micros: Vec<Value> = self.micros().collect();
        json!({"acknowledged": self.acknowledged(), "attempts": attempts, "ack_micros": micros})
    }

    /// How long the attempts took that were answered 200, in microseconds.
    pub(super) fn micros(&self) -> impl Iterator<Item = Value> + '_ {
        let answered = self.attempts.iter().filter(|attempt| attempt.answer == Ok(200));
        answered.map(|attempt| json!(attempt.took.as_micros() as u64))
    }
}

/// Carries parcels over pooled connections.
#[derive(Clone)]
pub struct Courier {
    client: Client,
    garmin_client_id: String,
    strava_secret: String,
    /// How long Garmin insists.
    pub garmin: Patience,
    /// How long Strava insists.
    pub strava: Patience,
}

impl Courier {
    /// With those credentials.
    ///
    /// # Panics
    ///
    /// Where no HTTP client can be made, which needs nothing but memory.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            client: Client::builder().no_proxy().build().expect("a client without TLS or proxies"),
            garmin_client_id: settings.garmin_client_id.clone(),
            strava_secret: settings.strava_client_secret.clone(),
            garmin: Patience::GARMIN,
            strava: Patience::STRAVA,
        }
    }

    /// Delivers; `to` says where, for the attempts 0, 1, 2 ...
    pub async fn deliver(&self, parcel: &Parcel, to: impl Fn(u32) -> String) -> Delivery {
        let patience = match parcel.kind {
            Kind::Garmin => self.garmin,
            Kind::Strava => self.strava,
        };
        let mut attempts = Vec::new();
        let mut wait = patience.first_wait;
        for number in 0..patience.attempts {
            let start = Instant::now();
            let answer = self.attempt(parcel, &to(number), patience.deadline).await;
            let delivered = answer == Ok(200);
            attempts.push(Attempt { answer, took: start.elapsed() });
            if delivered || number + 1 == patience.attempts {
                break;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(patience.longest_wait);
        }
        Delivery { attempts }
    }

    /// Delivers many, so many at once, and gives what became of each in their order. Whose pushes must follow one another
    /// delivers them one by one.
    pub async fn deliver_all(&self, parcels: &[Parcel], at_once: usize, to: &str) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            deliveries.push(self.deliver(parcel, |_| to.to_owned()));
        }
        futures_util::stream::iter(deliveries).buffered(at_once.max(1)).collect().await
    }

    async fn attempt(&self, parcel: &Parcel, url: &str, deadline: Duration) -> Result<u16, String> {
        let mut request = self
            .client
            .post(url)
            .timeout(deadline)
            .header("content-type", "application/json")
            .body(parcel.body.clone());
        request = match parcel.kind {
            Kind::Garmin => request.header("garmin-client-id", &self.garmin_client_id),
            // The time is the attempt's: Strava signs each one anew.
            Kind::Strava => {
                request.header("x-strava-signature", signature(&self.strava_secret, unix_now(), &parcel.body))
            }
        };
        let answer = request.send().await.map_err(|error| cause(&error))?;
        let status = answer.status().as_u16();
        // The provider reads the whole answer; one that breaks off is none.
        answer.bytes().await.map_err(|error| cause(&error))?;
        Ok(status)
    }

    /// Does what Strava does when a subscription is made: asks the callback to echo a challenge within two seconds.
    ///
    /// # Errors
    ///
    /// What the callback did instead.
    pub async fn challenge(&self, callback: &str, verify_token: &str) -> Result<(), String> {
        let challenge = format!("challenge-{}", uuid::Uuid::new_v4().simple());
        let query = [
            ("hub.mode", "subscribe"),
            ("hub.challenge", challenge.as_str()),
            ("hub.verify_token", verify_token),
        ];
        let request = self.client.get(callback).query(&query).timeout(Patience::STRAVA.deadline);
        let answer = request.send().await.map_err(|error| cause(&error))?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.map_err(|error| cause(&error))?;
        if status == 200 && body["hub.challenge"] == challenge.as_str() {
            Ok(())
        } else {
            Err(format!("{status} {body}"))
        }
    }
}

/// The last words of an error, without the address: it may hold the webhook's secret.
fn cause(error: &reqwest_0_12::Error) -> String {
    let mut words = String::from(if error.is_timeout() { "no answer in time" } else { "no whole answer" });
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

impl Settings {
    /// Where Garmin pushes to, behind that origin.
    #[must_use]
    pub fn garmin_webhook(&self, origin: &str) -> String {
        format!("{origin}/functions/v1/garmin-webhook/{}", self.garmin_webhook_secret)
    }

    /// Where Strava pushes to, behind that origin.
    #[must_use]
    pub fn strava_webhook(&self, origin: &str) -> String {
        format!("{origin}/functions/v1/strava-webhook")
    }
}
