//! Strava's pages: consent, tokens, deauthorization, activities.
//!
//! Promises: Strava's own paths, JSON names, error shapes and rate-limit headers; a private activity is there only for
//! those who may read all. Stops at what no flow asks for: streams, routes, segments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Shared;
use super::faults::Window;
use super::oauth::{Code, Issued, Refusal};
use super::pages::redirect;
use super::recorder::bearer;

pub(super) const AUTHORIZE: &str = "/oauth/authorize";
pub(super) const TOKEN: &str = "/oauth/token";
/// The same door under the API's own path; both are in use.
pub(super) const TOKEN_V3: &str = "/api/v3/oauth/token";
pub(super) const DEAUTHORIZE: &str = "/oauth/deauthorize";
/// What takes its place (RFC 7009).
pub(super) const REVOKE: &str = "/oauth/revoke";
pub(super) const ACTIVITIES: &str = "/api/v3/activities/";

type Params = HashMap<String, String>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(AUTHORIZE, get(authorize))
        .route(TOKEN, post(token))
        .route(TOKEN_V3, post(token))
        .route(DEAUTHORIZE, post(deauthorize))
        .route(REVOKE, post(revoke))
        .route("/api/v3/activities/{id}", get(activity))
}

async fn authorize(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    let get = |name: &str| params.get(name).map(String::as_str);
    let Some(redirect_uri) = get("redirect_uri") else {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "Application", "redirect_uri");
    };
    if get("client_id") != Some(&shared.settings.strava_client_id) || get("response_type") != Some("code") {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "Application", "client_id");
    }
    let state = get("state").unwrap_or_default();
    if params.contains_key("deny") {
        return redirect(redirect_uri, &[("error", "access_denied"), ("state", state)]);
    }
    let mut known = shared.state();
    let user = match get("as") {
        Some(user) => user.to_owned(),
        None => known.strava.fresh_number().to_string(),
    };
    let scope = get("scope").unwrap_or("read").to_owned();
    let code = known.strava.agree(Code {
        user,
        redirect_uri: redirect_uri.to_owned(),
        challenge: None,
        scope: scope.clone(),
    });
    redirect(redirect_uri, &[("state", state), ("code", &code), ("scope", &scope)])
}

/// Strava takes its parameters from the query, a form or JSON.
fn parameters(query: Params, body: &[u8]) -> Params {
    let mut params = query;
    if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
        params.extend(fields.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        }));
    } else {
        let form = String::from_utf8_lossy(body);
        params.extend(
            reqwest_0_12::Url::parse(&format!("form:?{form}"))
                .map(|url| url.query_pairs().into_owned().collect::<Vec<_>>())
                .unwrap_or_default(),
        );
    }
    params
}

async fn token(State(shared): State<Arc<Shared>>, Query(query): Query<Params>, body: Bytes) -> Response {
    let params = parameters(query, &body);
    let get = |name: &str| params.get(name).map(String::as_str);
    let settings = &shared.settings;
    if get("client_id") != Some(&settings.strava_client_id)
        || get("client_secret") != Some(&settings.strava_client_secret)
    {
        return error(StatusCode::UNAUTHORIZED, "Authorization Error", "Application", "client_secret");
    }
    let mut known = shared.state();
    let with_athlete = get("grant_type") == Some("authorization_code");
    let issued = match get("grant_type") {
        // Strava knows no PKCE and does not look at the redirect address again.
        Some("authorization_code") => known.strava.exchange(get("code").unwrap_or_default(), None, None),
        Some("refresh_token") => known.strava.refresh(get("refresh_token").unwrap_or_default()),
        _ => return error(StatusCode::BAD_REQUEST, "Bad Request", "Application", "grant_type"),
    };
    match issued {
        Ok(issued) => Json(tokens(&issued, with_athlete)).into_response(),
        Err(Refusal::RefreshToken) => {
            error(StatusCode::BAD_REQUEST, "Bad Request", "RefreshToken", "refresh_token")
        }
        Err(_) => error(StatusCode::BAD_REQUEST, "Bad Request", "AuthorizationCode", "code"),
    }
}

fn tokens(issued: &Issued, with_athlete: bool) -> Value {
    let lifetime = issued.lifetime.as_secs();
    let mut answer = json!({
        "token_type": "Bearer",
        "access_token": issued.access,
        "refresh_token": issued.refresh,
        "expires_in": lifetime,
        "expires_at": unix_now() + lifetime,
    });
    if with_athlete {
        let id = issued.user.parse::<u64>().map_or_else(|_| json!(issued.user), |id| json!(id));
        answer["athlete"] = json!({"id": id, "resource_state": 2, "username": null, "firstname": "Stand-in"});
        answer["scope"] = json!(issued.scope);
    }
    answer
}

/// Seconds since 1970.
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

async fn deauthorize(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Params>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut params = parameters(query, &body);
    let token = bearer(&headers).or_else(|| params.remove("access_token")).unwrap_or_default();
    let mut known = shared.state();
    let user = known.strava.holder(&token).map(|(user, _)| user.to_owned());
    match user {
        Ok(user) => {
            known.strava.revoke(&user);
            Json(json!({"access_token": token})).into_response()
        }
        Err(_) => bad_token(),
    }
}

/// Either token will do, and one that nobody knows is as good as revoked.
async fn revoke(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let settings = &shared.settings;
    let client = format!("{}:{}", settings.strava_client_id, settings.strava_client_secret);
    let expected = format!("Basic {}", BASE64_STANDARD.encode(client));
    if headers.get(AUTHORIZATION).is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return error(StatusCode::UNAUTHORIZED, "Authorization Error", "Application", "client_secret");
    }
    let token = parameters(Params::new(), &body).remove("token").unwrap_or_default();
    shared.state().strava.forget(&token);
    StatusCode::OK.into_response()
}

async fn activity(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut known = shared.state();
    let token = bearer(&headers).unwrap_or_default();
    let Ok((user, scope)) = known.strava.holder(&token) else { return bad_token() };
    let reads_all = scope.split([',', ' ']).any(|part| part == "activity:read_all");
    let user = user.to_owned();
    let found = id.parse().ok().and_then(|id: u64| known.activities.get_mut(&id));
    let mut answer = match found {
        Some(activity) if activity.athlete.to_string() == user && (reads_all || !activity.is_private) => {
            if activity.not_yet > 0 {
                activity.not_yet -= 1;
                not_found()
            } else {
                Json(activity.to_json()).into_response()
            }
        }
        _ => not_found(),
    };
    limits(&mut answer, "12,340", "7,120");
    answer
}

fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "Record Not Found", "Activity", "id")
}

fn bad_token() -> Response {
    error(StatusCode::UNAUTHORIZED, "Authorization Error", "Athlete", "access_token")
}

fn error(status: StatusCode, message: &str, resource: &str, field: &str) -> Response {
    let code = if status == StatusCode::NOT_FOUND { "not found" } else { "invalid" };
    let body = json!({"message": message, "errors": [{"resource": resource, "field": field, "code": code}]});
    (status, Json(body)).into_response()
}

/// 429: that window is used up.
pub(super) fn rate_limited(window: Window) -> Response {
    let mut answer =
        error(StatusCode::TOO_MANY_REQUESTS, "Rate Limit Exceeded", "Application", "overall rate limit");
    let (all, reads) = match window {
        Window::Quarter => ("201,900", "60,700"),
        Window::Day => ("150,2001", "60,900"),
        Window::ReadQuarter => ("120,900", "101,700"),
        Window::ReadDay => ("120,1500", "60,1001"),
    };
    limits(&mut answer, all, reads);
    answer
}

/// Strava's limits by default: 200 requests a quarter hour and 2,000 a day, of them 100 and 1,000 reads.
fn limits(answer: &mut Response, all: &'static str, reads: &'static str) {
    let headers = answer.headers_mut();
    headers.insert("x-ratelimit-limit", HeaderValue::from_static("200,2000"));
    headers.insert("x-ratelimit-usage", HeaderValue::from_static(all));
    headers.insert("x-readratelimit-limit", HeaderValue::from_static("100,1000"));
    headers.insert("x-readratelimit-usage", HeaderValue::from_static(reads));
}
