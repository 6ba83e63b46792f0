//! OAuth 2 as both providers speak it: consent pages, token requests and their answers, without the network.
//!
//! Text from outside can't break out of its place in a URL or a form, and no `Debug` shows a secret. Random numbers and
//! the time are arguments.
//!
//! Sources: RFC 6749, RFC 7636 (PKCE), RFC 7009 (revocation); Strava's "Authentication"; Garmin's "OAuth2 PKCE".

pub mod redirect;

use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::canonical;
pub use super::provider::Provider;
use crate::UnixMicros;

/// The application, as a provider knows it.
#[derive(Clone)]
pub struct Client {
    /// Public.
    pub id: String,
    /// Not public.
    pub secret: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("secret", &"[redacted]").finish()
    }
}

impl Client {
    /// The value of `authorization` that says who asks (RFC 7617).
    #[must_use]
    pub fn basic(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// 256 random bits as a text for URLs: a state, or a PKCE verifier.
#[must_use]
pub fn nonce(random: [u8; 32]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

/// The S256 challenge of a verifier.
///
/// ```
/// # use welltrack_core::providers::oauth::challenge;
/// // RFC 7636, appendix B.
/// let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
/// ```
#[must_use]
pub fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// What is kept of a state, as 64 hex digits: who reads the table still can't answer for somebody.
#[must_use]
pub fn state_hash(state: &str) -> String {
    canonical::hex(&Sha256::digest(state))
}

/// Where the person is sent to consent. `verifier` is used where the provider knows PKCE.
#[must_use]
pub fn authorize_url(
    provider: Provider,
    authorize: &str,
    client_id: &str,
    callback: &str,
    state: &str,
    verifier: Option<&str>,
) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", callback),
        ("state", state),
    ]);
    if let Some(verifier) = verifier {
        query.extend_pairs([
            ("code_challenge", challenge(verifier).as_str()),
            ("code_challenge_method", "S256"),
        ]);
    }
    if let Some(scope) = provider.rules().scope {
        query.extend_pairs([("scope", scope), ("approval_prompt", "auto")]);
    }
    redirect::with_query(authorize, &query.finish())
}

/// The form that turns a code into tokens.
#[must_use]
pub fn exchange_form(client: &Client, code: &str, callback: &str, verifier: Option<&str>) -> String {
    let mut form = form(client, "authorization_code");
    form.extend_pairs([("code", code), ("redirect_uri", callback)]);
    if let Some(verifier) = verifier {
        form.append_pair("code_verifier", verifier);
    }
    form.finish()
}

/// The form that turns a refresh token into new tokens.
#[must_use]
pub fn refresh_form(client: &Client, refresh_token: &str) -> String {
    form(client, "refresh_token").append_pair("refresh_token", refresh_token).finish()
}

/// The form that makes Strava forget a person's consent, by either of their tokens; it goes with [`Client::basic`].
#[must_use]
pub fn revoke_form(token: &str) -> String {
    Serializer::new(String::new()).append_pair("token", token).finish()
}

fn form(client: &Client, grant_type: &str) -> Serializer<'static, String> {
    let mut form = Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", grant_type),
        ("client_id", &client.id),
        ("client_secret", &client.secret),
    ]);
    form
}

/// A URL's query of these parameters.
#[must_use]
pub fn query(parameters: &[(&str, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// The parameters of a URL's query or of a form; of a repeated one the first counts.
#[must_use]
pub fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Scopes as providers write them, separated by commas or spaces.
#[must_use]
pub fn scopes(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// What a provider answers to a code or a refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Opens the person's data, for a while.
    pub access_token: String,
    /// Buys the next pair; where it is missing the old one stays good.
    pub refresh_token: Option<String>,
    /// Until when the access token is good, where the provider says so.
    pub expires_at: Option<UnixMicros>,
    /// What the person allowed, where the provider says so.
    pub scopes: Option<Vec<String>>,
    /// The person's id at the provider, where it comes along (Strava, with the first pair).
    pub provider_user_id: Option<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("access_token", &"[redacted]")
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| "[redacted]"))
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .field("provider_user_id", &self.provider_user_id)
            .finish()
    }
}

impl Tokens {
    /// Reads an answer that came at `now`; `None` where it holds no access token.
    #[must_use]
    pub fn read(json: &Value, now: UnixMicros) -> Option<Self> {
        let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let seconds = |key: &str| json[key].as_i64().and_then(|seconds| seconds.checked_mul(1_000_000));
        // Absolute where it is given: it owes nothing to our clock.
        let expires_at = seconds("expires_at").or_else(|| now.checked_add(seconds("expires_in")?));
        Some(Tokens {
            access_token: text("access_token")?,
            refresh_token: text("refresh_token"),
            expires_at: expires_at.filter(|at| super::ACCEPTED_TIMES.contains(at)),
            scopes: json["scope"].as_str().map(scopes),
            provider_user_id: json["athlete"]["id"].as_u64().map(|id| id.to_string()),
        })
    }
}

#[cfg(test)]
#[path = "oauth/tests.rs"]
mod tests;
