//! What seals and what opens.

use super::*;

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:8PHy8/T19vf4+fr7/P3+/+Dh4uPk5ebn6Onq6+zt7u8=";
const NONCES: [[u8; NONCE]; 2] = [[1; NONCE], [2; NONCE]];

fn ring(text: &str) -> KeyRing {
    KeyRing::parse(text).expect("a key ring")
}

fn place(user_id: &str, provider: Provider, part: Part) -> Place<'_> {
    Place { user_id, provider, part }
}

const MINE: Place<'static> = Place { user_id: "u1", provider: Provider::Strava, part: Part::Access };

#[test]
fn what_is_sealed_opens_again_and_is_not_to_be_seen() {
    let keys = ring(NEW);
    for plain in ["", "t", "a token of some length, ünïcode too"] {
        let sealed = keys.seal(MINE, plain, NONCES[0]);
        assert_eq!(keys.open("new", MINE, &sealed).expect("it opens").expose(), plain);
        assert_ne!(sealed, keys.seal(MINE, plain, NONCES[1]));
        let bytes = BASE64_STANDARD.decode(&sealed).expect("base64");
        assert_eq!(bytes.len(), NONCE + plain.len() + 16);
        assert!(plain.len() < 2 || !bytes.windows(plain.len()).any(|part| part == plain.as_bytes()));
    }
}

#[test]
fn what_was_sealed_for_one_place_opens_at_no_other() {
    let keys = ring(NEW);
    let sealed = keys.seal(MINE, "token", NONCES[0]);
    for other in [
        place("u2", Provider::Strava, Part::Access),
        place("u1", Provider::Garmin, Part::Access),
        place("u1", Provider::Strava, Part::Refresh),
        place("u1", Provider::Strava, Part::Verifier),
    ] {
        assert_eq!(keys.open("new", other, &sealed).err(), Some(OpenError::Broken), "{other:?}");
    }
}

#[test]
fn no_byte_can_be_changed_added_or_taken_away() {
    let keys = ring(NEW);
    let bytes = BASE64_STANDARD.decode(keys.seal(MINE, "token", NONCES[0])).expect("base64");
    let is_broken = |bytes: &[u8]| {
        keys.open("new", MINE, &BASE64_STANDARD.encode(bytes)).err() == Some(OpenError::Broken)
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(is_broken(&changed), "byte {at}");
        assert!(is_broken(&bytes[..at]), "cut at {at}");
    }
    assert!(is_broken(&[&bytes[..], &[0]].concat()));
    assert_eq!(keys.open("new", MINE, "not base64").err(), Some(OpenError::Broken));
}

#[test]
fn the_first_key_seals_and_all_open_until_they_are_taken_away() {
    let sealed = ring(OLD).seal(MINE, "token", NONCES[0]);
    let both = ring(&format!("{NEW}, {OLD}"));
    assert_eq!(both.key_id(), "new");
    assert_eq!(both.open("old", MINE, &sealed).expect("it opens").expose(), "token");
    assert_eq!(both.open("new", MINE, &sealed).err(), Some(OpenError::Broken));
    assert_eq!(ring(NEW).open("old", MINE, &sealed).err(), Some(OpenError::UnknownKey));
}

#[test]
fn a_key_ring_that_is_not_one_says_which_entry_is_wrong_and_nothing_more() {
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (text, error) in [
        (String::new(), KeyRingError::Empty),
        (" , ".to_owned(), KeyRingError::Empty),
        (secret.to_owned(), KeyRingError::Entry(1)),
        (format!(":{secret}="), KeyRingError::Entry(1)),
        (format!("a b:{secret}="), KeyRingError::Entry(1)),
        (format!("{NEW},x:{secret}"), KeyRingError::Key(2)),
        (format!("{NEW},x:AAEC"), KeyRingError::Key(2)),
        (format!("{NEW},{OLD},{NEW}"), KeyRingError::Repeated(3)),
    ] {
        let found = KeyRing::parse(&text).expect_err(&text);
        assert_eq!(found, error, "{text}");
        assert!(!found.to_string().contains("AAEC"));
    }
}

#[test]
fn keys_and_secrets_do_not_show() {
    let keys = ring(&format!("{NEW},{OLD}"));
    assert_eq!(format!("{keys:?}"), r#"["new", "old"]"#);
    assert_eq!(format!("{:?}", Secret::from("hush".to_owned())), "[redacted]");
}

/// Made with libsodium's `crypto_aead_xchacha20poly1305_ietf_encrypt` (through PyNaCl), with `u1|strava|access` beside the text.
#[test]
fn another_implementation_seals_alike() {
    assert_eq!(
        ring(OLD).seal(MINE, "token", NONCES[0]),
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB3Y58bRIhr6wqDsD4BmnWr5NmZsGO"
    );
}
