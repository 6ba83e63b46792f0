//! The identity of a reading: the published vectors, and that no two readings share a text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde::Deserialize;
use uuid::Uuid;
use welltrack_core::dedupe::{DedupeError, Identity, MAX_TIME, MIN_TIME};
use welltrack_core::{MetricType, Source};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    refused: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    user_id: Uuid,
    profile_id: Uuid,
    source: String,
    metric_type: String,
    start_unix_micros: Option<String>,
    end_unix_micros: Option<String>,
    text: Option<String>,
    sha256: Option<String>,
    error: Option<String>,
}

impl Vector {
    fn identity(&self) -> Identity<'_> {
        let micros = |text: &Option<String>| text.as_ref().map(|text| text.parse().expect("64 bits"));
        Identity {
            user_id: self.user_id,
            profile_id: self.profile_id,
            source: &self.source,
            metric_type: &self.metric_type,
            start_time: micros(&self.start_unix_micros),
            end_time: micros(&self.end_unix_micros),
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../vectors/dedupe_hash.json")).expect("vectors are JSON")
}

fn text(identity: &Identity<'_>) -> String {
    String::from_utf8(identity.canonical_text().expect("has a text").as_bytes().to_vec()).expect("UTF-8")
}

#[test]
fn every_published_vector_holds() {
    let vectors = vectors().vectors;
    assert!(vectors.len() > 80);
    for vector in vectors {
        let identity = vector.identity();
        assert_eq!(Some(text(&identity)), vector.text, "{}", vector.name);
        let hex: String =
            identity.hash().expect("has a hash").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Some(hex), vector.sha256, "{}", vector.name);
    }
}

#[test]
fn every_published_refusal_holds() {
    for vector in vectors().refused {
        let code = match vector.identity().hash() {
            Ok(_) => "accepted",
            Err(DedupeError::InvalidLabel) => "invalid_label",
            Err(DedupeError::TimeOutOfRange) => "time_out_of_range",
        };
        assert_eq!(Some(code), vector.error.as_deref(), "{}", vector.name);
    }
}

#[test]
fn the_vectors_cover_every_source() {
    let vectors = vectors().vectors;
    for source in Source::ALL {
        // Labels go into the text as they are, so a new metric needs no vector of its own.
        assert!(vectors.iter().any(|vector| vector.source == source.label()), "{}", source.label());
    }
}

type Fields = (u128, u128, String, String, Option<i64>, Option<i64>);

fn fields() -> impl Strategy<Value = Fields> {
    // Few distinct values, so that two draws often agree in some fields and differ in others.
    let id = prop_oneof![0..3_u128, any::<u128>()];
    let label = prop_oneof!["[ab]{1,3}", "[^|]{1,15}"];
    let time =
        proptest::option::of(prop_oneof![-2..2_i64, MIN_TIME..=MAX_TIME, Just(MIN_TIME), Just(MAX_TIME)]);
    (id.clone(), id, label.clone(), label, time.clone(), time)
}

fn identity((user, profile, source, metric, start, end): &Fields) -> Identity<'_> {
    Identity {
        user_id: Uuid::from_u128(*user),
        profile_id: Uuid::from_u128(*profile),
        source,
        metric_type: metric,
        start_time: *start,
        end_time: *end,
    }
}

proptest! {
    #[test]
    fn different_readings_never_share_a_text(left in fields(), right in fields()) {
        prop_assert_eq!(text(&identity(&left)) == text(&identity(&right)), left == right);
    }

    #[test]
    fn a_text_splits_into_the_six_fields_it_was_made_of(fields in fields()) {
        let text = text(&identity(&fields));
        let parts: Vec<_> = text.split('|').collect();
        prop_assert_eq!(parts.len(), 6);
        prop_assert_eq!(parts[0], Uuid::from_u128(fields.0).to_string());
        prop_assert_eq!((parts[2], parts[3]), (fields.2.as_str(), fields.3.as_str()));
        prop_assert_eq!((parts[4].is_empty(), parts[5].is_empty()), (fields.4.is_none(), fields.5.is_none()));
    }

    #[test]
    fn times_read_as_an_independent_calendar_writes_them(micros in MIN_TIME..MAX_TIME - 2 * 86_400_000_000) {
        let civil = Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::UTC).datetime();
        let expected = format!("{}.{:06}Z", civil.strftime("%Y-%m-%dT%H:%M:%S"), civil.subsec_nanosecond() / 1_000);
        let fields = (0, 0, "manual".to_owned(), "steps".to_owned(), Some(micros), None);
        let text = text(&identity(&fields));
        prop_assert_eq!(text.split('|').nth(4).unwrap(), expected);
    }

    #[test]
    fn times_outside_the_years_1_to_9999_are_refused(micros in prop_oneof![i64::MIN..MIN_TIME, MAX_TIME + 1..=i64::MAX]) {
        let fields = (0, 0, "manual".to_owned(), "steps".to_owned(), None, Some(micros));
        prop_assert_eq!(identity(&fields).hash(), Err(DedupeError::TimeOutOfRange));
    }

    #[test]
    fn no_label_can_pretend_to_be_two_fields(before in ".{0,80}", after in ".{0,80}") {
        let label = format!("{before}|{after}");
        let fields = (0, 0, label, MetricType::Steps.label().to_owned(), None, None);
        prop_assert_eq!(identity(&fields).hash(), Err(DedupeError::InvalidLabel));
    }
}
