//! The way out of an instance: calls to the project's own origin, and to the hosts on a function's list.
//!
//! Calls to SUPABASE_URL are answered in the process where the host can answer them, with the short way for `rest/v1/rpc`. Other
//! calls go to allowed names only, and only to addresses of the public internet, over one pool of connections. Redirects are
//! answers like any other, so none leads around the list.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body as AnyBody;
use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use tower::ServiceExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};
use welltrack_api::jwt::{self, Caller, Verifier};
use welltrack_api::rpc;
use welltrack_core::limits::RPC_BODY_BYTES;

use super::client::Client;
use crate::error::{SettingsError, StartError};
use crate::settings::{HostRule, plain_host};

/// The way out that all functions share.
pub(crate) struct Egress {
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
pub(super) struct Origin {
    https: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    pub(super) fn of(uri: &Uri) -> Option<Self> {
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

impl Egress {
    /// The egress of a project whose API is at `url`.
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

    /// Whether that is the project's own origin.
    pub(super) fn is_own(&self, origin: &Origin) -> bool {
        *origin == self.origin
    }

    /// Whether a function with these rules may call that origin.
    pub(super) fn allows(&self, origin: &Origin, rules: &[HostRule]) -> bool {
        origin.is_allowed_by(&self.local_hosts) || origin.is_allowed_by(rules)
    }

    /// Calls another server.
    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        self.client.send(request, options).await
    }

    /// Calls the project's own origin.
    pub(super) async fn own_origin(
        &self,
        request: Request<WasiBody>,
        id: &str,
    ) -> Result<Response<WasiBody>, Error> {
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
