//! Providers' tokens, sealed for the database: XChaCha20-Poly1305 under keys that only functions know.
//!
//! A sealed token opens only for the person, provider and part it was sealed for, so that rows can't be swapped. Nothing here
//! shows a key or a token in a `Debug`, and both are wiped from memory after use.
//!
//! `WELLTRACK_TOKEN_KEYS` is `id:key,id:key,...`, each key 32 bytes in base64 (`openssl rand -base64 32`). The first one seals;
//! all of them open. So a key is changed by putting a new one in front, rotating, and taking the old one away.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use welltrack_core::providers::oauth::Provider;
use zeroize::Zeroizing;

use crate::settings::{self, Missing};

/// Bytes of a nonce: so many that random ones don't meet, which is why nobody has to count them.
pub const NONCE: usize = 24;
const KEY: usize = 32;

/// A text that is nobody's business.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself; call it where it is sent, not before.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Which secret of a person at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// The PKCE verifier, between leaving for the provider and coming back.
    Verifier,
}

impl Part {
    const fn label(self) -> &'static str {
        match self {
            Part::Access => "access",
            Part::Refresh => "refresh",
            Part::Verifier => "verifier",
        }
    }
}

/// What a sealed text belongs to: authenticated with it, and not stored in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The person, as the database writes the id.
    pub user_id: &'a str,
    /// At whom.
    pub provider: Provider,
    /// Which secret.
    pub part: Part,
}

impl Place<'_> {
    fn authenticated(&self) -> String {
        format!("{}|{}|{}", self.user_id, self.provider.label(), self.part.label())
    }
}

/// Why there is no key ring; the text says nothing of the keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The setting is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Nothing between the commas.
    #[error("WELLTRACK_TOKEN_KEYS holds no key")]
    Empty,
    /// The entry, counted from 1, is not `id:key` with an id of 1 to 64 letters, digits, `-`, `_` or `.`.
    #[error("entry {0} of WELLTRACK_TOKEN_KEYS is not id:key")]
    Entry(usize),
    /// The key of the entry is not 32 bytes in base64.
    #[error("the key of entry {0} of WELLTRACK_TOKEN_KEYS is not {KEY} bytes in base64")]
    Key(usize),
    /// The id of the entry was there before.
    #[error("the id of entry {0} of WELLTRACK_TOKEN_KEYS was there before")]
    Repeated(usize),
}

/// Why a sealed text stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed with a key that is not in the ring (any more).
    #[error("sealed with a key that WELLTRACK_TOKEN_KEYS doesn't hold")]
    UnknownKey,
    /// Changed, sealed for another place, or not sealed by this at all.
    #[error("the sealed text is damaged or belongs elsewhere")]
    Broken,
}

/// Every key that is in use.
pub struct KeyRing {
    first: Key,
    others: Vec<Key>,
}

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().map(|key| &key.id)).finish()
    }
}

impl KeyRing {
    /// Reads the setting `WELLTRACK_TOKEN_KEYS`.
    ///
    /// # Errors
    ///
    /// See [`KeyRingError`].
    pub fn from_settings() -> Result<Self, KeyRingError> {
        Self::parse(&settings::required("WELLTRACK_TOKEN_KEYS")?)
    }

    /// Reads a value of `WELLTRACK_TOKEN_KEYS`.
    ///
    /// # Errors
    ///
    /// See [`KeyRingError`].
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut keys: Vec<Key> = Vec::new();
        for (n, entry) in (1..).zip(entries) {
            let key = Key::parse(n, entry)?;
            if keys.iter().any(|earlier| earlier.id == key.id) {
                return Err(KeyRingError::Repeated(n));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyRingError::Empty)?;
        Ok(Self { first, others: keys.collect() })
    }

    /// The key that seals; stored beside what it sealed.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.first.id
    }

    /// Seals with the first key: nonce and ciphertext in base64. A nonce must be random and used once.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, plain: &str, nonce: [u8; NONCE]) -> String {
        let aad = place.authenticated();
        let payload = Payload { msg: plain.as_bytes(), aad: aad.as_bytes() };
        let sealed =
            self.first.cipher.encrypt(&XNonce::from(nonce), payload).expect("tokens are shorter than 256 GB");
        BASE64_STANDARD.encode([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed with the key of that id, for that place.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(&self, key_id: &str, place: Place<'_>, sealed: &str) -> Result<Secret, OpenError> {
        let key = self.keys().find(|key| key.id == key_id).ok_or(OpenError::UnknownKey)?;
        let bytes = BASE64_STANDARD.decode(sealed).map_err(|_| OpenError::Broken)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(OpenError::Broken)?;
        let aad = place.authenticated();
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        let plain = key.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| OpenError::Broken)?;
        String::from_utf8(plain).map(Secret::from).map_err(|_| OpenError::Broken)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Key {
    fn parse(n: usize, entry: &str) -> Result<Self, KeyRingError> {
        let (id, key) = entry.split_once(':').ok_or(KeyRingError::Entry(n))?;
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=64).contains(&id.len()) || !id.bytes().all(is_named) {
            return Err(KeyRingError::Entry(n));
        }
        let bytes = BASE64_STANDARD.decode(key).map(Zeroizing::new).map_err(|_| KeyRingError::Key(n))?;
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| KeyRingError::Key(n))?;
        Ok(Key { id: id.to_owned(), cipher })
    }
}

#[cfg(test)]
mod tests;
