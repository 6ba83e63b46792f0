//! What a function can reach: its own origin, and the hosts on its list.
//!
//! Promises: calls to SUPABASE_URL are answered in the process where the host can answer them, with the short way for
//! `rest/v1/rpc`; other calls go to allowed names only, and only to addresses of the public internet, over one pool of
//! connections. Redirects are answers like any other, so none leads around the list. Stops at `wasi:http`: there are no
//! sockets.

mod client;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AnyBody;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use tower::ServiceExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use welltrack_api::jwt::{self, Caller, Verifier};
use welltrack_api::rpc;
use welltrack_core::limits::RPC_BODY_BYTES;

use self::client::Client;
use super::call::Function;
use crate::REQUEST_ID;
use crate::error::{SettingsError, StartError};
use crate::settings::{HostRule, plain_host};

/// Everything beyond an instance that all functions share.
pub(crate) struct Outside {
    origin: Origin,
    client: Client,
    verifier: Arc<Verifier>,
    rpc: rpc::Pool,
    router: OnceLock<Router>,
    /// Added to every function's list, and free to be an address of this machine.
    local_hosts: Vec<HostRule>,
    /// Whether the host is the whole of Supabase, and not only its functions.
    local: bool,
}

/// Where an HTTP call goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let https = uri.scheme_str() == Some("https");
        let authority = uri.authority()?;
        let port = authority.port_u16().unwrap_or(Self::default_port(https));
        Some(Self { https, host: plain_host(authority.host()), port })
    }

    fn default_port(https: bool) -> u16 {
        if https { 443 } else { 80 }
    }

    fn is_allowed_by(&self, rules: &[HostRule]) -> bool {
        rules.iter().any(|rule| rule.allows(&self.host, self.port, Self::default_port(self.https)))
    }
}

impl Outside {
    /// The outside of a project whose API is at `url`.
    ///
    /// # Errors
    ///
    /// When no TLS client can be made.
    pub(crate) fn new(
        url: &str,
        verifier: Arc<Verifier>,
        rpc: rpc::Pool,
        local: bool,
        local_hosts: Vec<HostRule>,
    ) -> Result<Self, StartError> {
        let origin = url.parse().ok().as_ref().and_then(Origin::of).ok_or(SettingsError::Url)?;
        let trusted = local_hosts.iter().map(|rule| rule.host().to_owned()).chain([origin.host.clone()]);
        let client = Client::new(trusted.collect())?;
        Ok(Self { origin, client, verifier, rpc, router: OnceLock::new(), local_hosts, local })
    }

    /// Who answers calls to the own origin from now on. The functions are behind it, so it comes after them.
    pub(crate) fn set_router(&self, router: Router) {
        // Only the start does this, once.
        let _ = self.router.set(router);
    }

    async fn own_origin(&self, request: Request<WasiBody>, id: &str) -> Result<Response<WasiBody>, Error> {
        if let Some(function) = short_way(&request)
            && self.rpc.serves(function).await
        {
            let function = function.to_owned();
            return self.call_sql(&function, request, id).await;
        }
        let path = request.uri().path();
        match self.router.get() {
            Some(router) if self.local || path.starts_with("/functions/v1/") => {
                let answer = router.clone().oneshot(request.map(AnyBody::new)).await;
                let Ok(answer) = answer;
                Ok(answer.map(|body| body.map_err(|_| Error::HttpResponseIncomplete).boxed_unsync()))
            }
            _ => self.client.send(request, None).await,
        }
    }

    async fn call_sql(
        &self,
        function: &str,
        request: Request<WasiBody>,
        id: &str,
    ) -> Result<Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let caller = match parts.headers.get(header::AUTHORIZATION) {
            None => Ok(Caller::anonymous()),
            Some(value) => {
                self.verifier.verify(value.to_str().ok().and_then(jwt::bearer).unwrap_or_default())
            }
        };
        let answer = match caller {
            Err(refusal) => refusal.to_postgrest(),
            Ok(caller) => {
                let body = Limited::new(body, RPC_BODY_BYTES).collect().await;
                let body = body.map_err(|_| Error::HttpRequestBodySize(None))?.to_bytes();
                self.rpc.call(function, body, &caller, id).await
            }
        };
        Ok(answer.map(whole))
    }
}

/// The function of a request that PostgREST would answer with `select f($1)`.
fn short_way<B>(request: &Request<B>) -> Option<&str> {
    let function = request.uri().path().strip_prefix("/rest/v1/rpc/")?;
    let headers = request.headers();
    let plain = request.method() == Method::POST
        && request.uri().query().is_none()
        && !["prefer", "accept-profile", "content-profile", "range"]
            .iter()
            .any(|name| headers.contains_key(*name));
    (plain && !function.is_empty() && !function.contains(['/', '%'])).then_some(function)
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// The outside as one request of a function sees it.
pub(super) struct Outgoing {
    function: Arc<Function>,
    id: Arc<str>,
}

impl Outgoing {
    pub(super) fn new(function: Arc<Function>, id: Arc<str>) -> Self {
        Self { function, id }
    }

    pub(super) fn function(&self) -> &Function {
        &self.function
    }
}

type Sent<F> = Result<(Response<WasiBody>, Box<F>), Error>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent<dyn Future<Output = Result<(), Error>> + Send>> + Send> {
        let (function, id) = (Arc::clone(&self.function), Arc::clone(&self.id));
        Box::new(async move {
            let outside = function.outside();
            let to = Origin::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
            let rules = &function.settings().limits.allowed_hosts;
            let answer = if to == outside.origin {
                if let Ok(value) = HeaderValue::from_str(&id) {
                    request.headers_mut().entry(REQUEST_ID).or_insert(value);
                }
                within(options, outside.own_origin(request, &id)).await
            } else if to.is_allowed_by(&outside.local_hosts) || to.is_allowed_by(rules) {
                within(options, outside.client.send(request, options)).await
            } else {
                Err(Error::HttpRequestDenied)
            };
            if matches!(answer, Err(Error::HttpRequestDenied | Error::DestinationIpProhibited)) {
                function.metrics().refused();
                tracing::warn!(
                    function = function.name(),
                    request_id = &*id,
                    host = to.host,
                    port = to.port,
                    "an outgoing call was refused: {}",
                    if answer.as_ref().is_err_and(|error| matches!(error, Error::HttpRequestDenied)) {
                        "the host is not in allowed_hosts"
                    } else {
                        "the address is not of the public internet"
                    }
                );
            }
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            answer.map(|answer| (answer, done))
        })
    }
}

/// The longest wait for the head of an answer where the guest names none.
const FIRST_BYTE: Duration = Duration::from_secs(60);

async fn within<T>(
    options: Option<RequestOptions>,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let limit = options.and_then(|options| options.first_byte_timeout).unwrap_or(FIRST_BYTE);
    let mut answer = std::pin::pin!(answer);
    let answer: Pin<&mut _> = answer.as_mut();
    tokio::time::timeout(limit, answer).await.unwrap_or(Err(Error::ConnectionReadTimeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, header: Option<(&str, &str)>) -> Request<()> {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn only_a_plain_call_of_a_function_takes_the_short_way() {
        let uri = "http://a.example/rest/v1/rpc/f";
        assert_eq!(short_way(&request("POST", uri, None)), Some("f"));
        assert_eq!(short_way(&request("GET", uri, None)), None);
        assert_eq!(short_way(&request("POST", &format!("{uri}?select=a"), None)), None);
        assert_eq!(short_way(&request("POST", &format!("{uri}/g"), None)), None);
        assert_eq!(short_way(&request("POST", "http://a.example/rest/v1/rpc/", None)), None);
        assert_eq!(short_way(&request("POST", "http://a.example/rest/v1/table", None)), None);
        assert_eq!(short_way(&request("POST", uri, Some(("Prefer", "tx=rollback")))), None);
    }

    #[test]
    fn origins_are_compared_as_names_and_ports() {
        let of = |uri: &str| Origin::of(&uri.parse().unwrap()).unwrap();
        assert_eq!(of("https://A.example./x"), of("https://a.example:443/y"));
        assert_ne!(of("https://a.example"), of("http://a.example"));
        assert_eq!(of("http://[::1]:5/").host, "::1");
        assert_eq!(of("http://a.example@evil.example/").host, "evil.example");
    }
}
