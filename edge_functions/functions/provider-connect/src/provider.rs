//! Requests to a provider, while a person waits for the answer.

use std::time::Duration;

use serde_json::Value;
use welltrack_core::limits::TOKEN_ANSWER_BYTES;
use welltrack_kit::outgoing::{self, Reply};
use welltrack_kit::settings::{self, Missing};
use wstd::http::{Body, Request};

/// People wait for this one.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a request to a provider, if there is one. Nothing where no answer comes.
pub(crate) async fn request(request: Option<Request<Body>>) -> Option<Reply> {
    outgoing::send(request?, TOKEN_ANSWER_BYTES, PROVIDER_TIMEOUT).await.ok()
}

/// The JSON of an answer, if its status says yes.
pub(crate) fn json_if_success(reply: Option<Reply>) -> Option<Value> {
    let reply = reply.filter(|reply| reply.status.is_success())?;
    serde_json::from_slice(&reply.body).ok()
}

/// The address that providers send people back to.
pub(crate) fn callback_url() -> Result<String, Missing> {
    settings::optional("PROVIDER_CALLBACK_URL").map_or_else(
        || {
            let base = settings::required("SUPABASE_URL")?;
            Ok(format!("{}/functions/v1/provider-connect/callback", base.trim_end_matches('/')))
        },
        Ok,
    )
}
