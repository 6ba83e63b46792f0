//! The client behind outgoing calls.
//!
//! Connections are kept and shared. An address is judged at the moment it is connected to, whether a name led to it or it was
//! written out. No redirect is followed and no proxy of the environment is used.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyDataStream, BodyExt};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::address::is_public;
use crate::error::StartError;
use crate::settings::plain_host;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the body of an answer may stand still where the guest names no time.
const BETWEEN_BYTES: Duration = Duration::from_secs(30);

/// A pool of connections, and who may be connected to.
pub(super) struct Client {
    client: reqwest::Client,
    trusted: Arc<BTreeSet<String>>,
}

/// An address that functions must not reach.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address of the public internet")]
struct Prohibited;

/// Resolves names as the system does and leaves out what is not public.
struct PublicOnly {
    trusted: Arc<BTreeSet<String>>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.trusted.contains(&plain_host(name.as_str()));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let known = !found.is_empty();
            let allowed: Vec<_> = found.into_iter().filter(|at| trusted || is_public(at.ip())).collect();
            if known && allowed.is_empty() {
                return Err(Prohibited.into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}

impl Client {
    /// A client for which `trusted` hosts may be addresses of this machine.
    pub(super) fn new(trusted: BTreeSet<String>) -> Result<Self, StartError> {
        let trusted = Arc::new(trusted);
        let client = reqwest::Client::builder()
            .tls_backend_rustls()
            .dns_resolver(PublicOnly { trusted: Arc::clone(&trusted) })
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(64)
            .build()
            .map_err(|error| StartError::Client(error.into()))?;
        Ok(Self { client, trusted })
    }

    /// Sends a request and gives the answer as soon as its head is there.
    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let host = plain_host(request.uri().host().unwrap_or_default());
        // A written-out address is not resolved, so the resolver doesn't see it.
        if host.parse::<IpAddr>().is_ok_and(|address| !is_public(address)) && !self.trusted.contains(&host) {
            return Err(Error::DestinationIpProhibited);
        }
        let request = request.map(|body| match body.size_hint().exact() {
            Some(0) => reqwest::Body::default(),
            _ => reqwest::Body::wrap_stream(BodyDataStream::new(body)),
        });
        let request = reqwest::Request::try_from(request).map_err(|_| Error::HttpRequestUriInvalid)?;
        let answer = self.client.execute(request).await.map_err(|error| in_wasi_words(&error))?;
        let pause = options.and_then(|options| options.between_bytes_timeout).unwrap_or(BETWEEN_BYTES);
        Ok(Response::from(answer).map(|body| Paced { body, pause, timer: None }.boxed_unsync()))
    }
}

fn in_wasi_words(error: &reqwest::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<Prohibited>() {
            return Error::DestinationIpProhibited;
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            match error.kind() {
                std::io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
                std::io::ErrorKind::UnexpectedEof => return Error::ConnectionTerminated,
                _ => {}
            }
        }
        if error.is::<rustls::Error>() {
            return Error::TlsProtocolError;
        }
        cause = error.source();
    }
    match error {
        error if error.is_timeout() => Error::ConnectionTimeout,
        error if error.is_connect() => Error::DestinationUnavailable,
        error if error.is_body() => Error::HttpRequestBodySize(None),
        _ => Error::HttpProtocolError,
    }
}

/// A body that ends in an error when nothing comes for a while.
struct Paced {
    body: reqwest::Body,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let paced = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut paced.body).poll_frame(context) {
            paced.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| Error::HttpResponseIncomplete)));
        }
        let pause = paced.pause;
        ready!(paced.timer.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }
}
