//! `X-Strava-Signature: t=<epoch seconds>,v1=<hex>`: HMAC-SHA256 of `t`, a dot and the body, with the client secret.
//!
//! Promises: constant time; a signature is good for [`TOLERANCE_SECONDS`] around its time, so that what was overheard
//! can't be sent again later. Stops at repeats within that time: the queue recognises them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far a signature's time may lie from the receiver's, either way.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Why a signature doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// Not `t=...,v1=...`.
    Malformed,
    /// Made too long ago, or in the future.
    Expired,
    /// Made with another secret, or over another body.
    Mismatch,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureError::Malformed => "the signature is not t=<seconds>,v1=<hex>",
            SignatureError::Expired => "the signature's time is too far from now",
            SignatureError::Mismatch => "the signature does not fit the body",
        })
    }
}

impl std::error::Error for SignatureError {}

/// Checks the header's value for `body`; `now` is in seconds since 1970.
///
/// # Errors
///
/// See [`SignatureError`].
pub fn verify(header: &str, body: &[u8], secret: &[u8], now: u64) -> Result<(), SignatureError> {
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let field = |name| fields().find_map(|(key, value)| (key == name).then_some(value));
    // Signed as it was written, so it is not written anew.
    let text = field("t").ok_or(SignatureError::Malformed)?;
    let time: u64 = text.parse().map_err(|_| SignatureError::Malformed)?;
    let given = field("v1").and_then(bytes_of).ok_or(SignatureError::Malformed)?;
    if time.abs_diff(now) > TOLERANCE_SECONDS {
        return Err(SignatureError::Expired);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&given).map_err(|_| SignatureError::Mismatch)
}

/// The bytes behind 64 hex digits.
fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: u64 = 1_700_000_000;
    /// `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`
    const HEADER: &str = "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
    const BODY: &[u8] = br#"{"a":1}"#;

    #[test]
    fn the_signature_that_openssl_makes_is_good_for_five_minutes_either_way() {
        for now in [TIME - 300, TIME, TIME + 300] {
            assert_eq!(verify(HEADER, BODY, b"secret", now), Ok(()));
        }
        for now in [0, TIME - 301, TIME + 301, u64::MAX] {
            assert_eq!(verify(HEADER, BODY, b"secret", now), Err(SignatureError::Expired));
        }
    }

    #[test]
    fn another_secret_body_time_or_shape_is_refused() {
        use SignatureError::{Malformed, Mismatch};
        assert_eq!(verify(HEADER, BODY, b"Secret", TIME), Err(Mismatch));
        assert_eq!(verify(HEADER, b"{\"a\": 1}", b"secret", TIME), Err(Mismatch));
        assert_eq!(verify(&HEADER.replace("t=17", "t=017"), BODY, b"secret", TIME), Err(Mismatch));
        assert_eq!(verify(&HEADER.replace("00,", "01,"), BODY, b"secret", TIME), Err(Mismatch));
        for header in
            ["", "t=1700000000", "v1=00", &HEADER[..HEADER.len() - 1], &HEADER.replace("t=", "t=-"), "t=,v1="]
        {
            assert_eq!(verify(header, BODY, b"secret", TIME), Err(Malformed), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_taken_that_was_not_signed(header: String, body: Vec<u8>, now: u64) {
            prop_assert!(verify(&header, &body, b"secret", now).is_err());
        }

        #[test]
        fn no_digit_can_be_changed(at in 16usize..80, digit in "[0-9a-f]") {
            let mut header = HEADER.to_owned();
            header.replace_range(at..=at, &digit);
            prop_assert_eq!(verify(&header, BODY, b"secret", TIME).is_ok(), header == HEADER);
        }
    }
}
