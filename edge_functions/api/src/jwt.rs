//! Who a bearer token speaks for: HS256 with the project's secret, ES256 and RS256 with the project's key set (JWKS).
//!
//! A key verifies only the algorithm that it was made for, so that neither `alg: none` nor a token signed with a public key used
//! as a secret can pass; `exp` is checked to the second, `nbf` and `iat` may run 30 s ahead, `aud` must be ours where a token
//! names one. The role is one of Supabase's three. A token that was signed out stays good until it expires, as with Supabase.
//! Refusals are worded as PostgREST words them, `to_postgrest`, or as Supabase's functions gateway does, `to_functions`.

use crate::{
    Secret,
    answer::{self, Problem},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};
use serde_json::{Value, json};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How far the clock of the token's issuer may run ahead of ours, in seconds.
const ALLOWED_SKEW: i64 = 30;

/// The audience of Supabase's access tokens.
pub const AUDIENCE: &str = "authenticated";

/// What tokens are verified with.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// The project's secret (`SUPABASE_JWT_SECRET`).
    pub hs256_secret: Secret,
    /// The project's key set (`SUPABASE_JWKS`): the JSON text `{"keys": [...]}`.
    pub jwks: Option<String>,
    /// The audience that a token must name if it names one, usually [`AUDIENCE`].
    pub audience: String,
}

/// A key set that can't be used. A fault of the settings, never of a request.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The secret is shorter than HS256 asks for (RFC 7518, 3.2: 256 bits).
    #[error("the JWT secret is shorter than 32 bytes")]
    ShortSecret,
    /// The text is no JSON Web Key Set.
    #[error("the JWKS can't be read: {0}")]
    Unreadable(String),
    /// A key of the set has parameters that make no key.
    #[error("the JWKS holds an unusable key: {0}")]
    UnusableKey(String),
}

/// A database role that a request may take on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody in particular.
    Anon,
    /// A signed-in person.
    Authenticated,
    /// The project itself; row-level security does not apply to it.
    ServiceRole,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Anon, Self::Authenticated, Self::ServiceRole];

    /// The name of the role in the database and in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Authenticated => "authenticated",
            Self::ServiceRole => "service_role",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    /// The role that the request runs under.
    pub role: Role,
    /// All claims of the token.
    pub claims: Value,
    /// The claims as JSON text, for `request.jwt.claims`.
    pub raw: String,
}

impl Caller {
    /// The caller that brought no token.
    pub fn anonymous() -> Self {
        Self::new(Role::Anon, json!({ "role": Role::Anon.name() }))
    }

    fn new(role: Role, claims: Value) -> Self {
        let raw = claims.to_string();
        Self { role, claims, raw }
    }

    /// The person (`sub`), if the token names one.
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub")?.as_str()
    }
}

// Claims hold e-mail addresses and telephone numbers.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("role", &self.role)
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}

/// Why a token was refused. Always status 401.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is not three parts of base64url, its header is not one, its algorithm is `none` or none that we take, or no key
    /// of ours fits it.
    #[error("No suitable key or wrong key type")]
    NoSuitableKey,
    /// A key fits, the signature doesn't.
    #[error("JWT cryptographic operation failed")]
    InvalidSignature,
    /// The signature is good and the payload is no JSON object.
    #[error("Parsing claims failed")]
    UnreadableClaims,
    /// `exp`, `nbf` or `iat` is not a number.
    #[error("The JWT '{0}' claim must be a number")]
    NotANumber(&'static str),
    /// `exp` has passed.
    #[error("JWT expired")]
    Expired,
    /// `nbf` is to come.
    #[error("JWT not yet valid")]
    NotYetValid,
    /// `iat` is to come.
    #[error("JWT issued at future")]
    IssuedInFuture,
    /// `aud` is neither a string nor a list of strings.
    #[error("The JWT 'aud' claim must be a string or an array of strings")]
    MalformedAudience,
    /// `aud` names others only.
    #[error("JWT not in audience")]
    WrongAudience,
    /// `role` is none of Supabase's three.
    #[error("The JWT 'role' claim names no role of this API")]
    UnknownRole,
}

impl JwtError {
    /// The answer of PostgREST, for `/rest/v1`.
    pub fn to_postgrest(&self) -> Response<Bytes> {
        let problem = match self {
            Self::NoSuitableKey => Problem::new("PGRST301", self.to_string())
                .details("No suitable key was found to decode the JWT"),
            Self::InvalidSignature => Problem::new("PGRST301", self.to_string()),
            _ => Problem::new("PGRST303", self.to_string()),
        };
        problem.into_response(StatusCode::UNAUTHORIZED)
    }

    /// The answer of Supabase's gateway in front of functions, for `/functions/v1`.
    pub fn to_functions(&self) -> Response<Bytes> {
        functions_refusal("Invalid JWT")
    }
}

/// The answer of Supabase's functions gateway to a request without a bearer token.
pub fn missing_authorization() -> Response<Bytes> {
    functions_refusal("Missing authorization header")
}

fn functions_refusal(message: &str) -> Response<Bytes> {
    answer::json(StatusCode::UNAUTHORIZED, &json!({ "code": 401, "message": message }))
}

/// The token of an `Authorization: Bearer ...` header's value.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Verifies tokens. Cheap to share behind an `Arc`, never blocks.
pub struct Verifier {
    keys: Vec<Key>,
    settings: JwtSettings,
}

struct Key {
    id: Option<String>,
    /// The only algorithm that this key verifies: what a token's header says is never trusted beyond choosing among these.
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier {
    /// A verifier for the project's secret and key set.
    ///
    /// # Errors
    /// [`SettingsError`] for a short secret or a key set that can't be used. Keys of kinds that Supabase does not sign with
    /// are passed over.
    pub fn new(settings: JwtSettings) -> Result<Self, SettingsError> {
        let secret = settings.hs256_secret.expose().as_bytes();
        if secret.len() < 32 {
            return Err(SettingsError::ShortSecret);
        }
        let mut keys =
            vec![Key { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }];
        if let Some(text) = &settings.jwks {
            let set: JwkSet = serde_json::from_str(text)
                // The reader's message may quote the text, and a set may hold secrets.
                .map_err(|error| {
                    SettingsError::Unreadable(format!("line {}, column {}", error.line(), error.column()))
                })?;
            for jwk in &set.keys {
                keys.extend(Key::from_jwk(jwk)?);
            }
        }
        Ok(Self { keys, settings })
    }

    /// What it was made of, for a service that signs tokens or reads the keys by itself.
    pub fn settings(&self) -> &JwtSettings {
        &self.settings
    }

    /// The caller that a token speaks for.
    ///
    /// # Errors
    /// [`JwtError`], each with its answer.
    pub fn verify(&self, token: &str) -> Result<Caller, JwtError> {
        let claims = self.signed_claims(token)?;
        self.check(&claims, now())?;
        let role = match claims.get("role") {
            None | Some(Value::Null) => Role::Anon,
            Some(Value::String(name)) => Role::named(name).ok_or(JwtError::UnknownRole)?,
            Some(_) => return Err(JwtError::UnknownRole),
        };
        Ok(Caller::new(role, claims))
    }

    fn signed_claims(&self, token: &str) -> Result<Value, JwtError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| JwtError::NoSuitableKey)?;
        // Claims are checked here and not by the library: PostgREST tells an absent claim from a wrong one.
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();

        let mut refusal = JwtError::NoSuitableKey;
        for key in &self.keys {
            let other_id = matches!((&key.id, &header.kid), (Some(ours), Some(theirs)) if ours != theirs);
            if key.algorithm != header.alg || other_id {
                continue;
            }
            match jsonwebtoken::decode::<Value>(token, &key.key, &validation) {
                Ok(data) if data.claims.is_object() => return Ok(data.claims),
                Ok(_) => return Err(JwtError::UnreadableClaims),
                Err(error) => refusal = refusal_of(&error),
            }
        }
        Err(refusal)
    }

    fn check(&self, claims: &Value, now: i64) -> Result<(), JwtError> {
        if seconds(claims, "exp")?.is_some_and(|exp| now > exp) {
            return Err(JwtError::Expired);
        }
        if seconds(claims, "nbf")?.is_some_and(|nbf| now + ALLOWED_SKEW < nbf) {
            return Err(JwtError::NotYetValid);
        }
        if seconds(claims, "iat")?.is_some_and(|iat| now + ALLOWED_SKEW < iat) {
            return Err(JwtError::IssuedInFuture);
        }
        match claims.get("aud") {
            // The project's own keys name no audience.
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(aud)) => self.audience_among([aud.as_str()]),
            Some(Value::Array(list)) => {
                let names: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
                match names.ok_or(JwtError::MalformedAudience)? {
                    names if names.is_empty() => Ok(()),
                    names => self.audience_among(names),
                }
            }
            Some(_) => Err(JwtError::MalformedAudience),
        }
    }

    fn audience_among<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), JwtError> {
        if names.into_iter().any(|name| name == self.settings.audience) {
            Ok(())
        } else {
            Err(JwtError::WrongAudience)
        }
    }
}

impl Key {
    /// The key of one entry, or nothing for a kind that Supabase does not sign with.
    fn from_jwk(jwk: &Jwk) -> Result<Option<Self>, SettingsError> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
            _ => return Ok(None),
        };
        let id = jwk.common.key_id.clone();
        let key = DecodingKey::from_jwk(jwk).map_err(|_| {
            SettingsError::UnusableKey(id.clone().unwrap_or_else(|| "without kid".to_owned()))
        })?;
        Ok(Some(Self { id, algorithm, key }))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.len())
            .field("audience", &self.settings.audience)
            .finish_non_exhaustive()
    }
}

fn refusal_of(error: &jsonwebtoken::errors::Error) -> JwtError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => JwtError::InvalidSignature,
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => JwtError::UnreadableClaims,
        _ => JwtError::NoSuitableKey,
    }
}

/// A claim in seconds since 1970; fractions are cut off.
fn seconds(claims: &Value, name: &'static str) -> Result<Option<i64>, JwtError> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        // A float cast saturates: far too large a number is simply far away.
        Some(value) => value.as_f64().map(|seconds| Some(seconds as i64)).ok_or(JwtError::NotANumber(name)),
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
