//! Tokens as GoTrue signs them, with the Supabase CLI's well-known local secret.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

/// The local secret of every Supabase project.
pub(crate) const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// In 2100.
const EXPIRES: u64 = 4_102_444_800;

/// The publishable key.
pub(crate) fn anon() -> String {
    sign(&json!({"role": "anon", "iss": "supabase-demo", "exp": EXPIRES}))
}

/// The secret key.
pub(crate) fn service() -> String {
    sign(&json!({"role": "service_role", "iss": "supabase-demo", "exp": EXPIRES}))
}

/// A signed-in person's.
pub(crate) fn person(user: Uuid) -> String {
    sign(&json!({"role": "authenticated", "aud": "authenticated", "sub": user, "exp": EXPIRES}))
}

fn sign(claims: &Value) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
