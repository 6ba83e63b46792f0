//! `/rest/v1` of the local stack: postrust, in process, answering as PostgREST.
//!
//! What supabase-js sends is answered as PostgREST would. Where postrust differs, the request or the answer is put right on its
//! way: `columns="a","b"` loses its quotes, an `apikey` stands in for a missing token as behind Supabase's gateway, a 42501 for
//! somebody signed in is 403, errors have PostgREST's order of keys and content type. CORS is the host's, for all paths alike.
//!
//! postrust logs the database's messages, which can quote what people measure: the host adds [`LOG_DIRECTIVES`] to its filter.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use postrust_core::AppConfig;
use postrust_server::{Builder, Host};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use welltrack_api::{
    Secret,
    answer::{self, Problem},
    jwt::{self, JwtSettings, Role, Verifier},
};
use welltrack_core::limits::LOCAL_REST_BODY_BYTES;

/// What keeps the database's own words out of a log, as directives of `tracing_subscriber::EnvFilter`.
pub const LOG_DIRECTIVES: [&str; 4] =
    ["postrust_engine=off", "postrust_server=warn", "postrust_core=warn", "sqlx=off"];

/// An error of PostgREST is short. What is longer is passed on as it is.
const MAX_ERROR: usize = 1024 * 1024;

/// What the local stack's REST is started with.
#[derive(Clone, Debug)]
pub struct RestSettings {
    /// The authenticator's URL.
    pub db_url: Secret,
    /// Who verifies tokens.
    pub verifier: Arc<Verifier>,
    /// The most rows of one answer (`[api] max_rows` of supabase/config.toml).
    pub max_rows: Option<i64>,
    /// The most connections to the database.
    pub pool_size: u32,
}

/// Why REST can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be reached, or its catalogue not be read.
    #[error("REST can't start: {0:#}")]
    Postrust(anyhow::Error),
}

/// REST, ready to be mounted.
#[derive(Debug)]
pub struct Rest {
    router: Router,
}

impl Rest {
    /// Connects, reads the catalogue, and listens for `notify pgrst, 'reload schema'`.
    ///
    /// # Errors
    /// [`StartError`] for a database that is away.
    pub async fn start(settings: RestSettings) -> Result<Self, StartError> {
        let app =
            Builder::new(config(&settings), Host::SERVER).build().await.map_err(StartError::Postrust)?;
        let router = Router::new().nest(
            "/rest/v1",
            app.router.layer(middleware::from_fn_with_state(settings.verifier, as_postgrest)),
        );
        Ok(Self { router })
    }

    /// Routes for `/rest/v1/...`.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

fn config(settings: &RestSettings) -> AppConfig {
    let mut config = AppConfig::default();
    config.db_uri = settings.db_url.expose().to_owned();
    config.db_schemas = vec!["public".to_owned()];
    config.db_extra_search_path = vec!["public".to_owned(), "extensions".to_owned()];
    config.db_anon_role = Some(Role::Anon.name().to_owned());
    config.db_pool_size = settings.pool_size;
    config.db_channel_enabled = true;
    config.db_max_rows = settings.max_rows;
    config.max_body_size = LOCAL_REST_BODY_BYTES;
    config.jwt_secret = Some(key_set(settings.verifier.settings()));
    config.jwt_aud = Some(settings.verifier.settings().audience.clone());
    config.compat_mode = true;
    config
}

/// The secret, or with a key set a set of both: postrust takes either as its one setting.
fn key_set(settings: &JwtSettings) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let secret = settings.hs256_secret.expose();
    let set: Option<Map<String, Value>> =
        settings.jwks.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let Some(Value::Array(mut keys)) = set.and_then(|mut set| set.remove("keys")) else {
        return secret.to_owned();
    };
    keys.push(json!({ "kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret) }));
    json!({ "keys": keys }).to_string()
}

/// Puts right what postrust reads or says differently.
async fn as_postgrest(State(verifier): State<Arc<Verifier>>, mut request: Request, next: Next) -> Response {
    unquote_columns(request.uri_mut());
    adopt_apikey(request.headers_mut());
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let mut response = next.run(request).await;
    response.headers_mut().remove(header::VARY);
    for name in CORS {
        response.headers_mut().remove(name);
    }
    match response.status() {
        status if status.is_client_error() || status.is_server_error() => {
            error_as_postgrest(response, || signed_in(&verifier, authorization.as_ref())).await
        }
        _ => response,
    }
}

const CORS: [header::HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

/// supabase-js names the columns of a bulk insert in quotes, and postrust takes the quotes for part of the name.
fn unquote_columns(uri: &mut Uri) {
    let Some(query) = uri.query().filter(|query| query.contains("columns=")) else { return };
    let pieces: Vec<String> = query.split('&').map(unquoted_piece).collect();
    let path_and_query = format!("{}?{}", uri.path(), pieces.join("&"));
    let Ok(path_and_query) = path_and_query.parse::<PathAndQuery>() else { return };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    if let Ok(rewritten) = Uri::from_parts(parts) {
        *uri = rewritten;
    }
}

fn unquoted_piece(piece: &str) -> String {
    let Some(list) = piece.strip_prefix("columns=") else { return piece.to_owned() };
    let names: Vec<&str> = list.split(',').flat_map(|part| part.split("%2C")).map(unquoted).collect();
    format!("columns={}", names.join(","))
}

/// A name without its quotes, in either spelling. A quote inside a name is nobody's column here.
fn unquoted(name: &str) -> &str {
    ["\"", "%22"].into_iter().find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(name)
}

/// Supabase's gateway lets the key that names the project speak for a request without a token.
fn adopt_apikey(headers: &mut HeaderMap) {
    if headers.contains_key(header::AUTHORIZATION) {
        return;
    }
    let key = headers.get("apikey").and_then(|key| key.to_str().ok());
    if let Some(value) = key.and_then(|key| HeaderValue::from_str(&format!("Bearer {key}")).ok()) {
        headers.insert(header::AUTHORIZATION, value);
    }
}

fn signed_in(verifier: &Verifier, authorization: Option<&HeaderValue>) -> bool {
    authorization
        .and_then(|value| value.to_str().ok())
        .and_then(jwt::bearer)
        .and_then(|token| verifier.verify(token).ok())
        .is_some_and(|caller| caller.role != Role::Anon)
}

async fn error_as_postgrest(response: Response, signed_in: impl FnOnce() -> bool) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_ERROR).await else {
        return Problem::new("PGRST000", "The answer could not be read.")
            .into_response(StatusCode::INTERNAL_SERVER_ERROR)
            .map(Body::from);
    };
    let Some(ordered) = in_order(&bytes) else { return Response::from_parts(parts, Body::from(bytes)) };
    if ordered["code"] == "42501" && parts.status == StatusCode::UNAUTHORIZED && signed_in() {
        parts.status = StatusCode::FORBIDDEN;
        parts.headers.remove(header::WWW_AUTHENTICATE);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let rewritten = answer::json(parts.status, &ordered);
    if let Some(content_type) = rewritten.headers().get(header::CONTENT_TYPE) {
        parts.headers.insert(header::CONTENT_TYPE, content_type.clone());
    }
    Response::from_parts(parts, Body::from(rewritten.into_body()))
}

/// The four keys of an error in alphabetical order, or nothing for any other body.
fn in_order(body: &Bytes) -> Option<Value> {
    let mut error: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut key = |name: &str| error.remove(name);
    let (code, details, hint, message) = (key("code")?, key("details")?, key("hint")?, key("message")?);
    error.is_empty().then(|| json!({ "code": code, "details": details, "hint": hint, "message": message }))
}
