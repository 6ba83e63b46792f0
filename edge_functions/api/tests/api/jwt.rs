//! Which tokens are taken, and that every trick with the header is refused.

use crate::support::{FAR_FUTURE, SECRET, jwt_settings, token, token_of};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL},
};
use http::{StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use welltrack_api::jwt::{
    Caller, JwtError, JwtSettings, Role, SettingsError, Verifier, bearer, missing_authorization,
};

/// A key of this test and of nothing else, because making an RSA key takes long (PKCS #1).
const RSA_KEY: &str = "\
MIIEpAIBAAKCAQEA5aDBlbzYR5GyIfOPtn5eSgfTLFTmcdv8qrkCvC4DP0wLzZ7lz/dC++DpseDtPBl+JrVTGf7z8M1OjqTFcEOY\
CI2Zixuo2/mgK6taa3zWl4uR9Ys+75yvwOGohIUT4G7SjfjEVU9udpx9awG5PgFEk/zSlOrTN0Yx5jOPu/7nTjn9rkhAaIQ0Ki84\
cWJDpzonHlR7ULNCNNV/o8IRX2jiATdQLii/FmyvKPrAF/Yv7aNqLcx4RM8kP9IlO+tLAsnfWldlS+TzAhRkIJC4qjSPIpSP3l7L\
4uvgR9bAsM+2EPNTmxJrwoCI5hVW0YEUDjYmz+qFP1JZeSyN9vEl/IyTVwIDAQABAoIBAAvxxcAVN6bZZEux0KrsfdkZ+RkYPXh0\
ufrjbsn9FrwnJ4IFnuynbvuNInrXOV/j75Tx36W9hlDjTQ/McFy7l1/yhacfxDPVE0jSO/zVXJA7eVctbBOosde1pT9ncLY+7YLn\
CsdpP1S6JSf4yfr4s+mCwC1w3ZXFd/kCe5qK0ttVvanbrQoMAOQS+zlzRdvOmHfaFZpO722jOdPTrtJyJWWHsLv5aW/hEnJUjr/J\
fuGICdvtDA9RuSXLL6N4lebd/74m07xnvvb6BhyfSzLkAx/Hj5e1ZhFs8V9DzC9hGV5ntTLpQiTKhrGV9kH56T4Ozjk8PBUXOWPm\
5BW6nQCP9PECgYEA+O2GYLjWWa7Db3EUx/aArxWQS0AQYdcdCXMTIlUdOi5jXaNciLDJX1+dPA0qAyCQTBjokjQhqDBmGCwJKtgz\
UalLSpelvNq333M7OKCguuD45YgXAMZi/hnM5rUaPh7caDZXnMeDE8d61dis4IGjBiqDauqxc0PlNtEw1ptxbokCgYEA7CbcilLb\
qpDB+OEtBM70LDq9BQGAbW1dyWRPg5Gx30SqeZa6FWiHRtHtBFquPKTnm6THqfYcNxV6z/XO8sZX4M+Re2jQpLcFBosimVSoLcka\
jG3JMw59taH5Ekqc2y8Pqj1FNIFvfawIri8cM40sACBzGCDdY9VJJMl7UVGQet8CgYBh7GaBZBUGgKZnD5ACPalPtublg1UueAX3\
MqqjReJSge8a5em/5/O/rghXmEIfqs648M+EvDdFR4zSE3ijvxspE7UHqfJMAap1n4n7c8zm1xtyh/+skV5d4V5mn3WsXE2OPVpn\
1WBuBnn+59bSFo1AHrdF9v9JfbsMvmw88DdGKQKBgQCnerwoQbFWm0lmB9SUt22GPLY3aaQ6dzjvjnux9M8waBN7HgGlEzf1awZs\
cx9lFRLJWKjeChRioJI0EMGPfkluv+cOnfxzBPXEeUK1ecu4hQqWE3qBAkL3YQMzDMWH0S2L79436aA3gZ26YuDeUr2k7V6S+yPo\
HKi+NUKHHpCYAwKBgQDUxGLubsJ0NSW1GwQGaXjFoJ+YdPggaJQ9dkrv4HgbslfytUY41fq55FMnixVdJbdtVPShIY8Ykxw5JLbU\
uvQy2n0H1GMEuKymAbwKIJPFI359Y5Yj+onmDCIoeIiiwyXHlK0JX+sRsbXk7WdDkKERvDV5V3Y/Be6qxMMuyxbsKg==";
/// Its modulus.
const RSA_MODULUS: &str = "\
5aDBlbzYR5GyIfOPtn5eSgfTLFTmcdv8qrkCvC4DP0wLzZ7lz_dC--DpseDtPBl-JrVTGf7z8M1OjqTFcEOYCI2Zixuo2_mgK6ta\
a3zWl4uR9Ys-75yvwOGohIUT4G7SjfjEVU9udpx9awG5PgFEk_zSlOrTN0Yx5jOPu_7nTjn9rkhAaIQ0Ki84cWJDpzonHlR7ULNC\
NNV_o8IRX2jiATdQLii_FmyvKPrAF_Yv7aNqLcx4RM8kP9IlO-tLAsnfWldlS-TzAhRkIJC4qjSPIpSP3l7L4uvgR9bAsM-2EPNT\
mxJrwoCI5hVW0YEUDjYmz-qFP1JZeSyN9vEl_IyTVw";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed()
}

fn verifier() -> Verifier {
    Verifier::new(jwt_settings()).expect("the secret is long enough")
}

fn refusal(token: &str) -> JwtError {
    verifier().verify(token).expect_err("a token that must not pass")
}

fn good_claims() -> Value {
    json!({ "role": "authenticated", "aud": "authenticated", "sub": "someone", "exp": FAR_FUTURE })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    claims[name] = value;
    claims
}

/// An asymmetric key of the project, with the set that publishes it.
struct Asymmetric {
    algorithm: Algorithm,
    signing: EncodingKey,
    jwk: Value,
    /// The public key in the forms that somebody may try as a secret.
    public: Vec<Vec<u8>>,
}

fn elliptic() -> Asymmetric {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
        .expect("a pair");
    let point = pair.public_key().as_ref();
    // 0x04, then both coordinates.
    let (x, y) = point[1..].split_at(32);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "elliptic",
        "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
    });
    Asymmetric {
        algorithm: Algorithm::ES256,
        signing: EncodingKey::from_ec_der(document.as_ref()),
        public: vec![point.to_vec(), jwk.to_string().into_bytes(), x.to_vec()],
        jwk,
    }
}

fn rsa() -> Asymmetric {
    let jwk =
        json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rsa", "n": RSA_MODULUS, "e": "AQAB" });
    Asymmetric {
        algorithm: Algorithm::RS256,
        signing: EncodingKey::from_rsa_der(&STANDARD.decode(RSA_KEY).expect("base64")),
        public: vec![
            BASE64URL.decode(RSA_MODULUS).expect("base64url"),
            RSA_MODULUS.as_bytes().to_vec(),
            jwk.to_string().into_bytes(),
        ],
        jwk,
    }
}

impl Asymmetric {
    fn settings(&self) -> JwtSettings {
        JwtSettings { jwks: Some(json!({ "keys": [self.jwk] }).to_string()), ..jwt_settings() }
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(self.settings()).expect("the key set is good")
    }

    fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.signing).expect("signed")
    }
}

#[test]
fn the_projects_own_keys_and_a_persons_token_are_taken() {
    for role in Role::ALL {
        let caller = verifier().verify(&token_of(role)).expect("a good token");
        assert_eq!(caller.role, role);
        assert_eq!(serde_json::from_str::<Value>(&caller.raw).expect("claims are JSON"), caller.claims);
    }
    assert_eq!(verifier().verify(&token(&good_claims())).expect("good").subject(), Some("someone"));
}

#[test]
fn a_token_without_a_role_is_nobodys() {
    let caller = verifier().verify(&token(&json!({ "exp": FAR_FUTURE }))).expect("a good token");
    assert_eq!(caller.role, Role::Anon);
}

#[test]
fn keys_of_the_set_verify_what_they_signed_with_and_without_their_id() {
    for key in [elliptic(), rsa()] {
        let verifier = key.verifier();
        for kid in [key.jwk["kid"].as_str(), None] {
            let caller = verifier.verify(&key.token(kid, &good_claims())).expect("a good token");
            assert_eq!(caller.role, Role::Authenticated);
        }
        assert_eq!(
            verifier.verify(&key.token(Some("another"), &good_claims())).expect_err("another key"),
            JwtError::NoSuitableKey
        );
        // The secret stays good beside the set: the project's own keys are signed with it.
        verifier.verify(&token_of(Role::ServiceRole)).expect("a good token");
    }
}

#[test]
fn a_key_that_is_not_in_the_set_verifies_nothing() {
    let stranger = elliptic();
    let refused = elliptic()
        .verifier()
        .verify(&stranger.token(Some("elliptic"), &good_claims()))
        .expect_err("a stranger's");
    assert_eq!(refused, JwtError::InvalidSignature);
    // Without a set there is no key of that kind at all.
    assert_eq!(refusal(&stranger.token(None, &good_claims())), JwtError::NoSuitableKey);
}

#[test]
fn a_public_key_used_as_a_secret_signs_nothing() {
    for key in [elliptic(), rsa()] {
        let verifier = key.verifier();
        for secret in &key.public {
            for kid in [key.jwk["kid"].as_str(), None] {
                let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
                let forged =
                    encode(&header, &good_claims(), &EncodingKey::from_secret(secret)).expect("signed");
                assert_eq!(verifier.verify(&forged).expect_err("forged"), JwtError::InvalidSignature);
            }
        }
    }
}

#[test]
fn no_algorithm_in_any_spelling_is_no_token() {
    let payload = BASE64URL.encode(good_claims().to_string());
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256"] {
        let header = BASE64URL.encode(json!({ "alg": algorithm, "typ": "JWT" }).to_string());
        for signature in ["", "AAAA", token(&good_claims()).rsplit('.').next().expect("three parts")] {
            assert_eq!(refusal(&format!("{header}.{payload}.{signature}")), JwtError::NoSuitableKey);
        }
    }
}

#[test]
fn the_secret_verifies_hs256_only() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let signed =
            encode(&Header::new(algorithm), &good_claims(), &EncodingKey::from_secret(SECRET.as_bytes()));
        assert_eq!(refusal(&signed.expect("signed")), JwtError::NoSuitableKey);
    }
}

#[test]
fn keys_that_come_inside_the_token_are_not_looked_at() {
    let stranger = elliptic();
    let header = json!({ "alg": "ES256", "typ": "JWT", "jwk": stranger.jwk, "jku": "http://127.0.0.1/keys", "kid": "elliptic" });
    let signed = stranger.token(None, &good_claims());
    let (_, rest) = signed.split_once('.').expect("three parts");
    let forged = format!("{}.{rest}", BASE64URL.encode(header.to_string()));
    elliptic().verifier().verify(&forged).expect_err("forged");
}

#[test]
fn time_claims_are_checked_to_the_second_and_thirty_seconds_ahead() {
    assert_eq!(refusal(&token(&with("exp", json!(now() - 1)))), JwtError::Expired);
    assert_eq!(refusal(&token(&with("nbf", json!(now() + 60)))), JwtError::NotYetValid);
    assert_eq!(refusal(&token(&with("iat", json!(now() + 60)))), JwtError::IssuedInFuture);
    for (name, value) in [("exp", now() + 60), ("nbf", now() + 10), ("iat", now() + 10)] {
        verifier().verify(&token(&with(name, json!(value)))).expect("in time");
    }
    for name in ["exp", "nbf", "iat"] {
        assert_eq!(refusal(&token(&with(name, json!("soon")))), JwtError::NotANumber(name));
    }
    verifier().verify(&token(&with("exp", json!(1e300)))).expect("far away is not expired");
}

#[test]
fn only_our_audience_is_taken() {
    for audience in [json!("other"), json!(["other", "another"])] {
        assert_eq!(refusal(&token(&with("aud", audience))), JwtError::WrongAudience);
    }
    for audience in [json!(7), json!({}), json!(["authenticated", 7])] {
        assert_eq!(refusal(&token(&with("aud", audience))), JwtError::MalformedAudience);
    }
    for audience in [json!(["other", "authenticated"]), json!([]), Value::Null] {
        verifier().verify(&token(&with("aud", audience))).expect("ours");
    }
}

#[test]
fn a_role_that_is_none_of_the_three_is_refused() {
    for role in ["postgres", "supabase_admin", "authenticator", "none", "", "ANON", "anon; reset role"] {
        assert_eq!(refusal(&token(&with("role", json!(role)))), JwtError::UnknownRole);
    }
    assert_eq!(refusal(&token(&with("role", json!(["service_role"])))), JwtError::UnknownRole);
}

#[test]
fn another_secret_and_a_changed_payload_are_refused() {
    let other = EncodingKey::from_secret(b"another secret of at least thirty-two bytes");
    assert_eq!(
        refusal(&encode(&Header::default(), &good_claims(), &other).expect("signed")),
        JwtError::InvalidSignature
    );
    let signed = token(&good_claims());
    let parts: Vec<_> = signed.split('.').collect();
    let promoted = BASE64URL.encode(with("role", json!("service_role")).to_string());
    assert_eq!(refusal(&format!("{}.{promoted}.{}", parts[0], parts[2])), JwtError::InvalidSignature);
    assert_eq!(refusal(&token(&json!([1, 2]))), JwtError::UnreadableClaims);
}

proptest! {
    #[test]
    fn no_text_is_taken_or_makes_trouble(text in ".{0,200}") {
        prop_assert!(verifier().verify(&text).is_err());
        let _ = bearer(&text);
    }

    #[test]
    fn a_token_with_one_character_changed_is_refused(place in 0_usize..400, character in "[A-Za-z0-9_.-]") {
        let good = token(&good_claims());
        let place = place % good.len();
        let mut changed = good.clone();
        changed.replace_range(place..=place, &character);
        // The last character of base64url may differ in bits that say nothing; then it is not base64url any more.
        prop_assert!(changed == good || verifier().verify(&changed).is_err());
    }
}

#[test]
fn settings_that_make_no_key_are_errors_that_quote_nothing() {
    let short = JwtSettings { hs256_secret: "short-secret".into(), ..jwt_settings() };
    assert!(matches!(Verifier::new(short), Err(SettingsError::ShortSecret)));
    for jwks in ["", "planted", r#"{"keys": [{"kty": "oct", "k": "planted"}]"#, r#"{"keys": "planted"}"#] {
        let error = Verifier::new(JwtSettings { jwks: Some(jwks.to_owned()), ..jwt_settings() })
            .expect_err("no key set");
        assert!(matches!(error, SettingsError::Unreadable(_)));
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
    let mut key = rsa();
    key.jwk["n"] = json!("%%");
    assert!(matches!(Verifier::new(key.settings()), Err(SettingsError::UnusableKey(id)) if id == "rsa"));
}

#[test]
fn nothing_secret_shows_in_debug() {
    let caller = Caller {
        raw: "planted".to_owned(),
        ..verifier().verify(&token(&with("email", json!("planted")))).expect("good")
    };
    let settings = JwtSettings { hs256_secret: format!("planted{SECRET}").into(), ..jwt_settings() };
    let shown = format!("{caller:?} {settings:?} {:?}", Verifier::new(settings.clone()).expect("good"));
    assert!(!shown.contains("planted"), "{shown}");
}

#[test]
fn refusals_are_worded_as_supabase_words_them() {
    let answer = JwtError::Expired.to_postgrest();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.body().as_ref(),
        br#"{"code":"PGRST303","details":null,"hint":null,"message":"JWT expired"}"#
    );
    assert_eq!(
        answer.headers()[header::WWW_AUTHENTICATE],
        r#"Bearer error="invalid_token", error_description="JWT expired""#
    );
    let answer = JwtError::InvalidSignature.to_functions();
    assert_eq!(
        (answer.status(), answer.body().as_ref()),
        (StatusCode::UNAUTHORIZED, br#"{"code":401,"message":"Invalid JWT"}"#.as_slice())
    );
    assert_eq!(
        missing_authorization().body().as_ref(),
        br#"{"code":401,"message":"Missing authorization header"}"#
    );
}

#[test]
fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
    assert_eq!(bearer("Bearer abc"), Some("abc"));
    assert_eq!(bearer("bearer  abc "), Some("abc"));
    assert_eq!(bearer("Basic abc"), None);
    assert_eq!(bearer("abc"), None);
}
