//! The calls that one request of a function makes: to where it may, within the guest's own times, with one line where it may not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::egress::{Egress, Origin};
use super::identity::Identity;
use crate::REQUEST_ID;

/// The egress as one request of a function sees it.
pub(super) struct Outgoing {
    function: Arc<Identity>,
    egress: Arc<Egress>,
    id: Arc<str>,
}

impl Outgoing {
    pub(super) fn new(function: Arc<Identity>, egress: Arc<Egress>, id: Arc<str>) -> Self {
        Self { function, egress, id }
    }

    pub(super) fn identity(&self) -> &Identity {
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
        let (function, egress, id) =
            (Arc::clone(&self.function), Arc::clone(&self.egress), Arc::clone(&self.id));
        Box::new(async move {
            let to = Origin::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
            let rules = &function.settings.limits.allowed_hosts;
            let answer = if egress.is_own(&to) {
                if let Ok(value) = HeaderValue::from_str(&id) {
                    request.headers_mut().entry(REQUEST_ID).or_insert(value);
                }
                within(options, egress.own_origin(request, &id)).await
            } else if egress.allows(&to, rules) {
                within(options, egress.send(request, options)).await
            } else {
                Err(Error::HttpRequestDenied)
            };
            if matches!(answer, Err(Error::HttpRequestDenied | Error::DestinationIpProhibited)) {
                function.metrics.refused();
                tracing::warn!(
                    function = &*function.name,
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
