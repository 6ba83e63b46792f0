//! What is sent to providers, and what is read from their answers.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use url::Url;

fn client() -> Client {
    Client { id: "4242".into(), secret: "se cret&grant_type=x".into() }
}

fn pairs(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

#[test]
fn a_person_is_sent_to_garmin_with_a_challenge_and_to_strava_with_scopes() {
    let url = |provider, verifier| {
        let text =
            authorize_url(provider, "https://x.example/a?b=1", "4242", "https://cb/?x=1&y", "st", verifier);
        Url::parse(&text).expect("a URL").query_pairs().into_owned().collect::<Vec<_>>()
    };
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let shared = [
        ("b", "1"),
        ("response_type", "code"),
        ("client_id", "4242"),
        ("redirect_uri", "https://cb/?x=1&y"),
        ("state", "st"),
    ];
    let garmin = [
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let strava = [("scope", "read,activity:read_all"), ("approval_prompt", "auto")];
    let expected = |own: [(&str, &str); 2]| shared.into_iter().chain(own).map(pair).collect::<Vec<_>>();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(url(Provider::Garmin, Some(verifier)), expected(garmin));
    assert_eq!(url(Provider::Strava, None), expected(strava));
}

proptest! {
    #[test]
    fn nothing_in_a_form_can_become_another_field(code: String, callback: String, verifier: Option<String>) {
        let client = client();
        let mut expected = vec![
            ("grant_type", "authorization_code"), ("client_id", &client.id), ("client_secret", &client.secret),
            ("code", &code), ("redirect_uri", &callback),
        ];
        expected.extend(verifier.as_deref().map(|verifier| ("code_verifier", verifier)));
        let form = exchange_form(&client, &code, &callback, verifier.as_deref());
        let expected: Vec<_> = expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(pairs(&form), expected);
        prop_assert_eq!(parameter(&form, "code"), Some(code));
    }

    #[test]
    fn any_answer_is_read_or_not(text in "\\PC*", number: i64, now in 0..4_133_980_800_000_000_i64) {
        for value in [json!(text), json!(number), json!(null)] {
            let json = json!({"access_token": value, "expires_in": value, "expires_at": value, "scope": value,
                              "athlete": {"id": value}});
            let _ = Tokens::read(&json, now);
            let _ = Tokens::read(&value, now);
        }
    }
}

#[test]
fn the_answers_of_both_providers_are_read() {
    let strava = json!({"token_type": "Bearer", "access_token": "a", "refresh_token": "r", "expires_in": 21600,
                        "expires_at": 1_700_021_600, "athlete": {"id": 7}, "scope": "read,activity:read_all"});
    let tokens = Tokens::read(&strava, 0).expect("tokens");
    assert_eq!((tokens.access_token.as_str(), tokens.refresh_token.as_deref()), ("a", Some("r")));
    assert_eq!(tokens.expires_at, Some(1_700_021_600_000_000));
    assert_eq!(tokens.scopes.as_deref(), Some(&["read".to_owned(), "activity:read_all".to_owned()][..]));
    assert_eq!(tokens.provider_user_id.as_deref(), Some("7"));

    let garmin = json!({"access_token": "a", "token_type": "bearer", "refresh_token": "r", "expires_in": 86400,
                        "scope": "HEALTH_EXPORT ACTIVITY_EXPORT", "jti": "x"});
    let tokens = Tokens::read(&garmin, 1_700_000_000_000_000).expect("tokens");
    assert_eq!(tokens.expires_at, Some(1_700_086_400_000_000));
    assert_eq!(tokens.scopes.map(|scopes| scopes.len()), Some(2));
    assert_eq!(tokens.provider_user_id, None);

    for nothing in [json!({}), json!({"access_token": ""}), json!({"errors": []}), json!("a")] {
        assert_eq!(Tokens::read(&nothing, 0), None);
    }
}

#[test]
fn a_refusal_of_activities_is_a_connection_that_brings_nothing() {
    assert!(Provider::Strava.suffices(&scopes("read,activity:read")));
    assert!(!Provider::Strava.suffices(&scopes("read")));
    assert!(Provider::Garmin.suffices(&[]));
}

#[test]
fn secrets_do_not_show() {
    let tokens = Tokens::read(&json!({"access_token": "hush-a", "refresh_token": "hush-r"}), 0);
    let shown = format!("{tokens:?} {:?}", client());
    assert!(!shown.contains("hush") && !shown.contains("se cret"), "{shown}");
}

#[test]
fn the_client_is_named_as_rfc_7617_says() {
    let client = Client { id: "Aladdin".into(), secret: "open sesame".into() };
    assert_eq!(client.basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}
