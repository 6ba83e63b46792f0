//! The stand-in's address space, and Garmin's pages in it: consent, tokens, user, deregistration, pulled summaries.
//!
//! Promises: Garmin's own paths and JSON names; what Garmin refuses is refused. Stops at looks: the consent page asks
//! nothing. `&as=<user>` says who consents (else a new user does), `&deny=1` that they don't.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::faults::Endpoint;
use super::oauth::{Code, Issued, Refusal};
use super::recorder::{bearer, record};
use super::{Shared, control, strava_pages};

pub(super) const GARMIN_AUTHORIZE: &str = "/oauth2Confirm";
pub(super) const GARMIN_TOKEN: &str = "/di-oauth2-service/oauth/token";
const GARMIN_API: &str = "/wellness-api/rest";
/// What everybody allows at Garmin.
const PERMISSIONS: [&str; 2] = ["HEALTH_EXPORT", "ACTIVITY_EXPORT"];

type Params = HashMap<String, String>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let api = |path: &str| format!("{GARMIN_API}{path}");
    Router::new()
        .route("/", get(control::about))
        .route(GARMIN_AUTHORIZE, get(authorize))
        .route(GARMIN_TOKEN, post(token))
        .route(&api("/user/id"), get(user_id))
        .route(&api("/user/permissions"), get(permissions))
        .route(&api("/user/registration"), delete(deregister))
        .route(&api("/{kind}"), get(summaries))
        .merge(strava_pages::routes())
        .nest("/_control", control::routes())
        .layer(from_fn_with_state(Arc::clone(&shared), record))
        .layer(map_response(say_so))
        .with_state(shared)
}

/// Nobody should take this for the real thing.
async fn say_so(mut answer: Response) -> Response {
    answer.headers_mut().insert("x-stand-in", HeaderValue::from_static("provider-simulator"));
    answer
}

/// The door at a path; `None` for the control API and for what is not there.
pub(super) fn endpoint(path: &str) -> Option<Endpoint> {
    Some(match path {
        GARMIN_AUTHORIZE => Endpoint::GarminAuthorize,
        GARMIN_TOKEN => Endpoint::GarminToken,
        strava_pages::AUTHORIZE => Endpoint::StravaAuthorize,
        strava_pages::TOKEN | strava_pages::TOKEN_V3 => Endpoint::StravaToken,
        strava_pages::DEAUTHORIZE | strava_pages::REVOKE => Endpoint::StravaDeauthorize,
        _ if path.starts_with(strava_pages::ACTIVITIES) => Endpoint::StravaActivity,
        _ => match path.strip_prefix(GARMIN_API)? {
            user if user.starts_with("/user/") => Endpoint::GarminUser,
            _ => Endpoint::GarminSummaries,
        },
    })
}

/// `uri` with more in its query.
pub(super) fn redirect(uri: &str, query: &[(&str, &str)]) -> Response {
    let Ok(mut url) = reqwest_0_12::Url::parse(uri) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is no address").into_response();
    };
    url.query_pairs_mut().extend_pairs(query);
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

async fn authorize(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    let get = |name: &str| params.get(name).map(String::as_str);
    let Some(redirect_uri) = get("redirect_uri") else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is missing").into_response();
    };
    if get("client_id") != Some(&shared.settings.garmin_client_id)
        || get("response_type") != Some("code")
        || get("code_challenge_method") != Some("S256")
    {
        return (StatusCode::BAD_REQUEST, "client_id, response_type or code_challenge_method is wrong")
            .into_response();
    }
    let state = get("state").unwrap_or_default();
    if params.contains_key("deny") {
        return redirect(redirect_uri, &[("error", "access_denied"), ("state", state)]);
    }
    let mut known = shared.state();
    let user = match get("as") {
        Some(user) => user.to_owned(),
        None => format!("garmin-{}", known.garmin.fresh_number()),
    };
    let code = known.garmin.agree(Code {
        user,
        redirect_uri: redirect_uri.to_owned(),
        challenge: Some(get("code_challenge").unwrap_or_default().to_owned()),
        scope: PERMISSIONS.join(" "),
    });
    redirect(redirect_uri, &[("code", &code), ("state", state)])
}

async fn token(State(shared): State<Arc<Shared>>, axum::Form(params): axum::Form<Params>) -> Response {
    let get = |name: &str| params.get(name).map(String::as_str);
    let settings = &shared.settings;
    if get("client_id") != Some(&settings.garmin_client_id)
        || get("client_secret") != Some(&settings.garmin_client_secret)
    {
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "unknown client or wrong secret");
    }
    let mut known = shared.state();
    let issued = match get("grant_type") {
        Some("authorization_code") => {
            known.garmin.exchange(get("code").unwrap_or_default(), get("redirect_uri"), get("code_verifier"))
        }
        Some("refresh_token") => known.garmin.refresh(get("refresh_token").unwrap_or_default()),
        _ => {
            return oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type", "no such grant_type");
        }
    };
    match issued {
        Ok(issued) => Json(tokens(&issued)).into_response(),
        Err(refusal) => {
            let why = match refusal {
                Refusal::Code => "unknown or used code",
                Refusal::RedirectUri => "another redirect_uri",
                Refusal::Verifier => "the code_verifier does not fit",
                Refusal::RefreshToken => "unknown or used refresh token",
            };
            oauth_error(StatusCode::BAD_REQUEST, "invalid_grant", why)
        }
    }
}

fn tokens(issued: &Issued) -> Value {
    json!({
        "access_token": issued.access,
        "token_type": "bearer",
        "refresh_token": issued.refresh,
        "expires_in": issued.lifetime.as_secs(),
        "refresh_token_expires_in": 7_775_998,
        "scope": issued.scope,
        "jti": format!("jti-{}", issued.user),
    })
}

fn oauth_error(status: StatusCode, error: &str, why: &str) -> Response {
    (status, Json(json!({"error": error, "error_description": why}))).into_response()
}

/// Whose token came along.
fn garmin_user(shared: &Shared, headers: &HeaderMap) -> Option<String> {
    shared.state().garmin.holder(&bearer(headers)?).ok().map(|(user, _)| user.to_owned())
}

fn bad_token() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"errorMessage": "bad token"}))).into_response()
}

async fn user_id(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    garmin_user(&shared, &headers)
        .map_or_else(bad_token, |user| Json(json!({"userId": user})).into_response())
}

async fn permissions(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    garmin_user(&shared, &headers)
        .map_or_else(bad_token, |_| Json(json!({"permissions": PERMISSIONS})).into_response())
}

async fn deregister(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    garmin_user(&shared, &headers).map_or_else(bad_token, |user| {
        shared.state().garmin.revoke(&user);
        StatusCode::NO_CONTENT.into_response()
    })
}

/// A callback address carries a token of its own, so that a ping can be answered without the person's.
async fn summaries(State(shared): State<Arc<Shared>>, uri: Uri, Query(params): Query<Params>) -> Response {
    let state = shared.state();
    let found = params.get("token").and_then(|token| state.callbacks.get(token));
    match found {
        Some(summaries) => Json(summaries.clone()).into_response(),
        None => {
            let why = format!("nothing is kept for {}", uri.path());
            (StatusCode::BAD_REQUEST, Json(json!({"errorMessage": why}))).into_response()
        }
    }
}
