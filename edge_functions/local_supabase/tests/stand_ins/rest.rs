//! What is put right around postrust.

use crate::support::{Database, token_of, verifier, with_database};
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use welltrack_api::jwt::Role;
use welltrack_local::rest::{Rest, RestSettings};

const STAGE: &str = r#"
    create table public.gw_things (id int primary key, "odd name" text, plain text default 'default');
    create table public.gw_closed (id int);
    revoke all on public.gw_closed from anon, authenticated;
"#;

async fn start(database: &Database) -> Rest {
    database.admin().await.batch_execute(STAGE).await.expect("the stage is set");
    let settings = RestSettings {
        db_url: database.url("authenticator").into(),
        verifier: verifier(),
        max_rows: Some(2),
        pool_size: 2,
    };
    Rest::start(settings).await.expect("postrust starts")
}

async fn ask(rest: &Rest, request: Request<Body>) -> (StatusCode, http::HeaderMap, Value) {
    let (parts, body) = rest.router().oneshot(request).await.expect("an answer").into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn columns_may_be_named_in_quotes_or_without_in_any_encoding() {
    with_database(|database| async move {
        let rest = start(&database).await;
        let lists = [
            r#"columns=%22id%22,%22plain%22"#,
            r#"columns=%22id%22%2C%22plain%22"#,
            "columns=id,plain",
            r#"select=id&columns=%22id%22,%22plain%22&order=id"#,
        ];
        for (id, list) in lists.into_iter().enumerate() {
            let body = json!([{ "id": id, "plain": "text" }]).to_string();
            let request = Request::post(format!("/rest/v1/gw_things?{list}"))
                .header(header::AUTHORIZATION, format!("Bearer {}", token_of(Role::ServiceRole)))
                .header(header::CONTENT_TYPE, "application/json");
            let (status, _, answer) = ask(&rest, request.body(body.into()).expect("a request")).await;
            assert_eq!(status, StatusCode::CREATED, "{list}: {answer}");
        }
        let stored: i64 = database
            .admin()
            .await
            .query_one("select count(*) from public.gw_things where plain = 'text'", &[])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(stored, 4);
    });
}

#[test]
fn a_missing_right_is_403_for_somebody_and_401_with_a_challenge_for_nobody() {
    with_database(|database| async move {
        let rest = start(&database).await;
        for (role, wanted) in [(Some(Role::Authenticated), 403), (Some(Role::Anon), 401), (None, 401)] {
            let mut request = Request::get("/rest/v1/gw_closed");
            if let Some(role) = role {
                request = request.header(header::AUTHORIZATION, format!("Bearer {}", token_of(role)));
            }
            let (status, headers, body) = ask(&rest, request.body(Body::empty()).expect("a request")).await;
            assert_eq!((status.as_u16(), &body["code"]), (wanted, &json!("42501")));
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), wanted == 401);
        }
    });
}

#[test]
fn the_key_of_the_project_speaks_for_a_request_without_a_token() {
    with_database(|database| async move {
        let rest = start(&database).await;
        let request = Request::get("/rest/v1/gw_closed").header("apikey", token_of(Role::ServiceRole));
        assert_eq!(ask(&rest, request.body(Body::empty()).expect("a request")).await.0, StatusCode::OK);
        let request = Request::get("/rest/v1/gw_closed").header("apikey", "nonsense");
        assert_eq!(
            ask(&rest, request.body(Body::empty()).expect("a request")).await.0,
            StatusCode::UNAUTHORIZED
        );
    });
}

#[test]
fn errors_have_postgrests_order_and_no_answer_speaks_of_origins() {
    with_database(|database| async move {
        let rest = start(&database).await;
        let request = Request::get("/rest/v1/gw_nothing").header(header::ORIGIN, "http://localhost:3000");
        let response =
            rest.router().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json; charset=utf-8");
        assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")));
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        assert!(body.starts_with(br#"{"code":"PGRST205","details":null,"hint":"#), "{body:?}");
    });
}

#[test]
fn an_answer_has_at_most_the_rows_of_the_settings() {
    with_database(|database| async move {
        let rest = start(&database).await;
        let admin = database.admin().await;
        admin
            .batch_execute("insert into public.gw_things (id) select generate_series(1, 5)")
            .await
            .expect("rows");
        let request = Request::get("/rest/v1/gw_things").header("apikey", token_of(Role::ServiceRole));
        let (_, _, rows) = ask(&rest, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(rows.as_array().map(Vec::len), Some(2));
    });
}
