//! Which path leads where.
//!
//! `/functions/v1/<name>[/...]` for the functions; `/rest/v1` and `/auth/v1` where stand-ins for them run; `/healthz`, `/readyz` and
//! `/metrics` for operators. CORS is answered as Supabase's gateway does, and every request has an id.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use welltrack_api::jwt::{self, Caller, Verifier};
use welltrack_api::rpc;

use crate::functions::Functions;
use crate::metrics::Metrics;
use crate::runtime::{self, Call};
use crate::{REQUEST_ID, answer};

/// How long the database may take to tell the figures of its queue.
const FIGURES: Duration = Duration::from_secs(2);

/// The id of a request, as an extension of it.
#[derive(Clone)]
pub(crate) struct RequestId(pub Arc<str>);

/// What the paths lead to.
pub(crate) struct Host {
    /// The functions.
    pub(crate) functions: Arc<Functions>,
    /// Who judges tokens.
    pub(crate) verifier: Arc<Verifier>,
    /// Who asks the database for the queue's figures.
    pub(crate) rpc: rpc::Pool,
    /// The service role, for that.
    pub(crate) service: Caller,
    /// What `/metrics` tells.
    pub(crate) metrics: Arc<Metrics>,
    /// Set when the host is told to stop.
    pub(crate) stopping: AtomicBool,
}

/// What both the world and the functions themselves can reach: the project's API.
pub(crate) fn api(host: &Arc<Host>, beside: Router) -> Router {
    let host = Arc::clone(host);
    let functions = tower::service_fn(move |request: Request| {
        let host = Arc::clone(&host);
        async move { Ok::<_, Infallible>(host.function(request).await) }
    });
    Router::new()
        .nest_service("/functions/v1", functions)
        .merge(beside)
        .fallback(async || answer::not_found("no Route matched with those values"))
}

/// What the world reaches.
pub(crate) fn public(host: &Arc<Host>, api: Router) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::PATCH,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::CONTENT_RANGE,
            header::LOCATION,
            REQUEST_ID,
            HeaderName::from_static("x-relay-error"),
        ])
        .max_age(Duration::from_secs(3600));
    let upkeep = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(host));
    api.layer(cors)
        .layer(middleware::from_fn_with_state(Arc::clone(host), refuse_when_stopping))
        .merge(upkeep)
        .layer(middleware::from_fn(identify))
}

/// Gives every request an id, the caller's own if it has a sensible one, and tells it in the answer.
async fn identify(mut request: Request, next: Next) -> Response {
    let id = known_id(request.headers()).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let id: Arc<str> = id.into();
    let value = HeaderValue::from_str(&id).ok();
    if let Some(value) = value.clone() {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    request.extensions_mut().insert(RequestId(id));
    let mut answer = next.run(request).await;
    if let Some(value) = value {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}

fn known_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let sensible = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ((8..=64).contains(&id.len()) && id.chars().all(sensible)).then(|| id.to_owned())
}

async fn refuse_when_stopping(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    if !host.stopping.load(Ordering::Relaxed) {
        return next.run(request).await;
    }
    let mut answer = answer::come_again("STOPPING", "This host is stopping");
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

async fn ready(State(host): State<Arc<Host>>) -> (StatusCode, &'static str) {
    if host.stopping.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if host.ask_the_queue().await.is_none() {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn metrics(State(host): State<Arc<Host>>) -> ([(HeaderName, &'static str); 1], String) {
    let text = host.metrics.text(host.figures().await.as_ref());
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

impl Host {
    /// What the database answers when it is asked for the queue's figures, if it answers at all.
    async fn ask_the_queue(&self) -> Option<http::Response<Bytes>> {
        let asked = self.rpc.call("queue_stats", "{}".into(), &self.service, "metrics");
        let answer = tokio::time::timeout(FIGURES, asked).await.ok()?;
        (answer.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    }

    /// The queue's figures, if the database tells them.
    async fn figures(&self) -> Option<serde_json::Value> {
        let answer = self.ask_the_queue().await.filter(|answer| answer.status().is_success())?;
        serde_json::from_slice(answer.body()).ok()
    }

    async fn function(&self, request: Request) -> Response {
        let name = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        let Some(function) = self.functions.get(name) else {
            return answer::not_found("Requested function was not found");
        };
        if function.settings().gate.verify_jwt
            && let Some(refusal) = self.refusal(request.headers())
        {
            return refusal;
        }
        // A guest is told the authority it was called at, and there is none to tell.
        if request.uri().authority().is_none()
            && request.headers().get(header::HOST).is_none_or(|host| host.to_str().is_err())
        {
            return answer::error(StatusCode::BAD_REQUEST, "BAD_REQUEST", "the request names no host");
        }
        let https = request.headers().get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        let id = match request.extensions().get::<RequestId>() {
            Some(RequestId(id)) => Arc::clone(id),
            // A function calls a function: the id goes with the request.
            None => known_id(request.headers()).unwrap_or_default().into(),
        };
        runtime::call(function, Call { request, https, id }).await
    }

    /// The answer to somebody without a valid token.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let Some(authorization) = headers.get(header::AUTHORIZATION) else {
            return Some(answer::whole(jwt::missing_authorization()));
        };
        let token = authorization.to_str().ok().and_then(jwt::bearer).unwrap_or_default();
        self.verifier.verify(token).err().map(|refusal| answer::whole(refusal.to_functions()))
    }
}
