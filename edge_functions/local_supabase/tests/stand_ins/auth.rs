//! The local GoTrue below what supabase-js shows: theft of a refresh token, both shapes of an error, and bad input.

use crate::support::{Database, token_of, verifier, with_database};
use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::{Method, Request, StatusCode};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tower::ServiceExt;
use welltrack_api::jwt::Role;
use welltrack_local::auth::{Auth, AuthSettings};

const PASSWORD: &str = "correct horse battery";

fn settings(db_url: String) -> AuthSettings {
    AuthSettings {
        db_url: db_url.into(),
        verifier: verifier(),
        issuer: "http://127.0.0.1:54321/auth/v1".to_owned(),
        anonymous_sign_ins: true,
    }
}

fn router(database: &Database) -> Router {
    Auth::new(settings(database.url("supabase_auth_admin"))).expect("the URL is good").router()
}

/// One request: status and body. `token` is a bearer token, or nothing.
async fn ask(
    auth: &Router,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: impl Into<Body>,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(format!("/auth/v1{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request =
        request.header("x-supabase-api-version", "2024-01-01").body(body.into()).expect("a request");
    let response = auth.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn sign_up(auth: &Router, email: &str) -> Value {
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    let (status, session) = ask(auth, Method::POST, "/signup", None, body).await;
    assert_eq!(status, StatusCode::OK, "{session}");
    session
}

async fn refresh(auth: &Router, token: &Value) -> (StatusCode, Value) {
    let body = json!({ "refresh_token": token }).to_string();
    ask(auth, Method::POST, "/token?grant_type=refresh_token", None, body).await
}

#[test]
fn a_token_says_who_signed_in_and_how() {
    with_database(|database| async move {
        let auth = router(&database);
        let session = sign_up(&auth, "Ada@Example.org").await;
        let caller =
            verifier().verify(session["access_token"].as_str().expect("a token")).expect("a good token");
        assert_eq!(caller.role, Role::Authenticated);
        assert_eq!(caller.subject(), session["user"]["id"].as_str());
        for (claim, value) in [
            ("iss", json!("http://127.0.0.1:54321/auth/v1")),
            ("aud", json!("authenticated")),
            ("email", json!("ada@example.org")),
            ("aal", json!("aal1")),
            ("is_anonymous", json!(false)),
            ("app_metadata", json!({ "provider": "email", "providers": ["email"] })),
        ] {
            assert_eq!(caller.claims[claim], value, "{claim}");
        }
        assert_eq!(caller.claims["amr"][0]["method"], "password");
        let expires_in =
            session["expires_at"].as_i64().expect("a time") - caller.claims["iat"].as_i64().expect("a time");
        assert_eq!((expires_in, session["expires_in"].as_i64()), (3600, Some(3600)));
    });
}

#[test]
fn a_password_is_kept_as_a_bcrypt_hash_only() {
    with_database(|database| async move {
        let auth = router(&database);
        sign_up(&auth, "ada@example.org").await;
        let admin = database.admin().await;
        let row = admin
            .query_one(
                "select encrypted_password, to_jsonb(u)::text || (select string_agg(to_jsonb(i)::text, '')
                          from auth.identities i) from auth.users u",
                &[],
            )
            .await
            .expect("a person");
        let (hash, all): (String, String) = (row.get(0), row.get(1));
        assert!(hash.starts_with("$2b$10$"), "cost 10, as GoTrue");
        assert!(!all.contains(PASSWORD));
    });
}

#[test]
fn a_stolen_refresh_token_ends_the_session_for_thief_and_owner() {
    with_database(|database| async move {
        let (auth, admin) = (router(&database), database.admin().await);
        let first = sign_up(&auth, "ada@example.org").await;
        let (_, second) = refresh(&auth, &first["refresh_token"]).await;
        let (_, third) = refresh(&auth, &second["refresh_token"]).await;
        // Within ten seconds it may be a client that lost an answer.
        let (status, fourth) = refresh(&auth, &first["refresh_token"]).await;
        assert_eq!(status, StatusCode::OK);
        let (_, fifth) = refresh(&auth, &fourth["refresh_token"]).await;
        let later = "update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'";
        admin.batch_execute(later).await.expect("later");
        let (status, refused) = refresh(&auth, &first["refresh_token"]).await;
        assert_eq!(
            (status, &refused["code"]),
            (StatusCode::BAD_REQUEST, &json!("refresh_token_already_used"))
        );
        admin.batch_execute(later).await.expect("later still");
        for token in [&first, &second, &third, &fourth, &fifth] {
            assert_eq!(refresh(&auth, &token["refresh_token"]).await.0, StatusCode::BAD_REQUEST);
        }
        let active: i64 = admin
            .query_one("select count(*) from auth.refresh_tokens where not revoked", &[])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(active, 0);
    });
}

#[test]
fn one_refresh_token_used_by_many_at_once_leaves_one_good_token() {
    with_database(|database| async move {
        let (auth, admin) = (router(&database), database.admin().await);
        let session = sign_up(&auth, "ada@example.org").await;
        let uses = (0..6).map(|_| refresh(&auth, &session["refresh_token"]));
        for (status, answer) in futures_util::future::join_all(uses).await {
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        let active: i64 = admin
            .query_one("select count(*) from auth.refresh_tokens where not revoked", &[])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(active, 1);
    });
}

#[test]
fn whoever_goes_takes_sessions_tokens_and_identities_along() {
    with_database(|database| async move {
        let (auth, admin) = (router(&database), database.admin().await);
        let session = sign_up(&auth, "ada@example.org").await;
        admin.batch_execute("delete from auth.users").await.expect("gone");
        let left: i64 = admin
            .query_one(
                "select (select count(*) from auth.sessions) + (select count(*) from auth.identities)
                        + (select count(*) from auth.refresh_tokens)",
                &[],
            )
            .await
            .expect("a count")
            .get(0);
        assert_eq!(left, 0);
        let (status, error) = ask(&auth, Method::GET, "/user", session["access_token"].as_str(), "").await;
        assert_eq!((status, &error["code"]), (StatusCode::FORBIDDEN, &json!("user_not_found")));
        assert_eq!(refresh(&auth, &session["refresh_token"]).await.0, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn signing_out_ends_the_sessions_that_were_meant() {
    with_database(|database| async move {
        let auth = router(&database);
        let here = sign_up(&auth, "ada@example.org").await;
        let body = json!({ "email": "ada@example.org", "password": PASSWORD }).to_string();
        let sign_in = || ask(&auth, Method::POST, "/token?grant_type=password", None, body.clone());
        let alive = async |session: &Value| {
            ask(&auth, Method::GET, "/user", session["access_token"].as_str(), "").await.0 == StatusCode::OK
        };
        for (scope, here_lives, there_lives) in
            [("others", true, false), ("local", false, true), ("global", false, false)]
        {
            let (here, there) = match scope {
                "others" => (here.clone(), sign_in().await.1),
                _ => (sign_in().await.1, sign_in().await.1),
            };
            let path = format!("/logout?scope={scope}");
            let (status, _) = ask(&auth, Method::POST, &path, here["access_token"].as_str(), "").await;
            assert_eq!(status, StatusCode::NO_CONTENT);
            assert_eq!((alive(&here).await, alive(&there).await), (here_lives, there_lives), "{scope}");
        }
        let (_, here) = sign_in().await;
        let (status, error) =
            ask(&auth, Method::POST, "/logout?scope=all", here["access_token"].as_str(), "").await;
        assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("validation_failed")));
    });
}

#[test]
fn an_address_that_somebody_has_is_nobody_elses() {
    with_database(|database| async move {
        let auth = router(&database);
        sign_up(&auth, "ada@example.org").await;
        let eve = sign_up(&auth, "eve@example.org").await;
        let body = json!({ "email": "ada@example.org" }).to_string();
        let (status, error) = ask(&auth, Method::PUT, "/user", eve["access_token"].as_str(), body).await;
        assert_eq!((status, &error["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("email_exists")));
    });
}

#[test]
fn somebody_who_is_banned_gets_no_token() {
    with_database(|database| async move {
        let (auth, admin) = (router(&database), database.admin().await);
        let session = sign_up(&auth, "ada@example.org").await;
        admin
            .batch_execute("update auth.users set banned_until = now() + interval '1 day'")
            .await
            .expect("banned");
        let body = json!({ "email": "ada@example.org", "password": PASSWORD }).to_string();
        let (status, error) = ask(&auth, Method::POST, "/token?grant_type=password", None, body).await;
        assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("user_banned")));
        assert_eq!(refresh(&auth, &session["refresh_token"]).await.0, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn the_projects_keys_and_forged_tokens_are_no_person() {
    with_database(|database| async move {
        let auth = router(&database);
        for (token, status, code) in [
            (None, StatusCode::UNAUTHORIZED, "no_authorization"),
            (Some("nonsense".to_owned()), StatusCode::FORBIDDEN, "bad_jwt"),
            (Some(token_of(Role::Anon)), StatusCode::FORBIDDEN, "bad_jwt"),
            (Some(token_of(Role::ServiceRole)), StatusCode::FORBIDDEN, "bad_jwt"),
            (Some(token_of(Role::Authenticated)), StatusCode::FORBIDDEN, "session_not_found"),
        ] {
            for (method, path) in [(Method::GET, "/user"), (Method::PUT, "/user"), (Method::POST, "/logout")]
            {
                let (answered, error) = ask(&auth, method.clone(), path, token.as_deref(), "{}").await;
                assert_eq!((answered, &error["code"]), (status, &json!(code)), "{method} {path}");
            }
        }
    });
}

#[test]
fn an_older_client_gets_the_older_shape_of_an_error() {
    with_database(|database| async move {
        let auth = router(&database);
        let request = Request::post("/auth/v1/signup")
            .body(Body::from(r#"{"email":"ada@example.org","password":"short"}"#));
        let response = auth.oneshot(request.expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.headers()["x-sb-error-code"], "weak_password");
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let wanted = json!({
            "code": 422, "error_code": "weak_password", "msg": "Password should be at least 6 characters.",
            "weak_password": { "reasons": ["length"] },
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), wanted);
    });
}

#[test]
fn settings_health_and_keys_are_told_to_anybody() {
    with_database(|database| async move {
        let auth = router(&database);
        let (_, settings) = ask(&auth, Method::GET, "/settings", None, "").await;
        assert_eq!(
            (&settings["external"]["email"], &settings["mailer_autoconfirm"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(ask(&auth, Method::GET, "/health", None, "").await.1["name"], "GoTrue");
        assert_eq!(
            ask(&auth, Method::GET, "/.well-known/jwks.json", None, "").await.1,
            json!({ "keys": [] })
        );
        assert_eq!(ask(&auth, Method::POST, "/recover", None, "{}").await.0, StatusCode::NOT_FOUND);
    });
}

/// JSON as a stranger may send it, keys of the API among others.
fn any_body() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!("a\u{0}b")),
        Just(json!("someone@example.org")),
        Just(json!("+491701234567")),
        Just(json!("x".repeat(300))),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(".{0,5}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    });
    let key = prop_oneof![
        Just("email"),
        Just("phone"),
        Just("password"),
        Just("data"),
        Just("refresh_token"),
        Just("other")
    ];
    prop_oneof![
        4 => prop::collection::hash_map(key, value.clone(), 0..5).prop_map(|map| json!(map).to_string()),
        1 => value.prop_map(|value| value.to_string()),
        1 => ".{0,40}",
    ]
}

#[test]
fn no_body_is_answered_with_a_fault() {
    with_database(|database| async move {
        let auth = router(&database);
        let session = sign_up(&auth, "ada@example.org").await;
        let token = session["access_token"].as_str().expect("a token").to_owned();
        let runtime = tokio::runtime::Handle::current();
        let fuzz = move || {
            let endpoint = prop_oneof![
                Just((Method::POST, "/signup")),
                Just((Method::POST, "/token?grant_type=password")),
                Just((Method::POST, "/token?grant_type=refresh_token")),
                Just((Method::PUT, "/user")),
            ];
            let config =
                ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
            TestRunner::new(config).run(&(endpoint, any_body()), |((method, path), body)| {
                let (status, answer) = runtime.block_on(ask(&auth, method, path, Some(&token), body));
                prop_assert!(!status.is_server_error(), "{status} {answer}");
                Ok(())
            })
        };
        tokio::task::spawn_blocking(fuzz).await.expect("no panic").expect("no fault");
    });
}
