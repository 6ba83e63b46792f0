//! A person's access token at Strava, refreshed when it is time.
//!
//! Of several workers that find a token stale one refreshes it (a lease in the database), because Strava's refresh tokens are
//! used up. The new pair is stored before it is used.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use welltrack_core::UnixMicros;
use welltrack_core::limits::TOKEN_ANSWER_BYTES;
use welltrack_core::providers::oauth::{Provider, Tokens, refresh_form};
use welltrack_core::providers::strava::limits::resume_at;
use welltrack_kit::outgoing::{self, Reply};
use welltrack_kit::rpc::RpcError;
use welltrack_kit::tokens::{Part, Place, Secret};
use welltrack_kit::{clock, random};
use wstd::http::StatusCode;
use wstd::task::sleep;

use crate::event::{Connection, EventOutcome};
use crate::insist::insist;
use crate::worker::Worker;

const TOKEN_TIMEOUT: Duration = Duration::from_secs(15);
/// A token that ends sooner is refreshed now: the calls that need it take a while.
const SPARE: Duration = Duration::from_secs(60);
const LEASE_SECONDS: u32 = 30;
/// Looks at what the lease's holder is doing, and the pause between two.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Why there is no token.
pub(crate) enum Denied {
    /// Strava does not know the consent any more.
    Revoked,
    /// Nobody is connected any more, or for another reason the event should take another way.
    Instead(EventOutcome),
}

impl From<RpcError> for Denied {
    fn from(error: RpcError) -> Self {
        // Whoever disconnects takes the tokens along; the event is then parked.
        Self::Instead(if error.is_not_found() { EventOutcome::Release } else { EventOutcome::retry(error) })
    }
}

/// What `get_connection_token` gives.
#[derive(Deserialize)]
struct Stored {
    access_token_encrypted: String,
    refresh_token_encrypted: Option<String>,
    key_id: String,
    token_expires_at: Option<Timestamp>,
}

impl Stored {
    fn is_fresh(&self) -> bool {
        let least = clock::after(SPARE);
        self.token_expires_at.is_none_or(|end| end.as_microsecond() > least)
    }
}

/// The person's token. `refused` is one that Strava has just refused, whatever the clock says of it.
pub(crate) async fn token(
    worker: &Worker<'_>,
    connection: &Connection,
    refused: Option<&Secret>,
) -> Result<Secret, Denied> {
    for _ in 0..LOOKS {
        if let Some(token) = fresh(worker, connection, refused).await? {
            return Ok(token);
        }
        let lease = json!({"connection_id": connection.id, "worker": worker.name, "seconds": LEASE_SECONDS});
        let lease: Lease = worker.rpc.call("lease_token_refresh", &lease).await?;
        if lease.granted {
            // Between the look and the lease somebody may have finished.
            return match fresh(worker, connection, refused).await? {
                Some(token) => Ok(token),
                None => refresh(worker, connection).await,
            };
        }
        sleep(BETWEEN_LOOKS.into()).await;
    }
    Err(Denied::Instead(EventOutcome::Wait { until: clock::after(SPARE) }))
}

#[derive(Deserialize)]
struct Lease {
    granted: bool,
}

async fn stored(worker: &Worker<'_>, connection: &Connection) -> Result<Stored, Denied> {
    Ok(worker.rpc.call("get_connection_token", &json!({"connection_id": connection.id})).await?)
}

fn place(connection: &Connection, part: Part) -> Place<'_> {
    Place { user_id: &connection.user_id, provider: Provider::Strava, part }
}

fn open(
    worker: &Worker<'_>,
    connection: &Connection,
    part: Part,
    key: &str,
    sealed: &str,
) -> Result<Secret, Denied> {
    let keys = worker.keys().map_err(failed)?;
    keys.open(key, place(connection, part), sealed).map_err(failed)
}

/// The event is tried again.
pub(crate) fn failed(error: impl ToString) -> Denied {
    Denied::Instead(EventOutcome::retry(error))
}

/// The stored token, if it still should be good.
async fn fresh(
    worker: &Worker<'_>,
    connection: &Connection,
    refused: Option<&Secret>,
) -> Result<Option<Secret>, Denied> {
    let stored = stored(worker, connection).await?;
    if !stored.is_fresh() {
        return Ok(None);
    }
    let token = open(worker, connection, Part::Access, &stored.key_id, &stored.access_token_encrypted)?;
    Ok(Some(token).filter(|token| refused.is_none_or(|refused| refused.expose() != token.expose())))
}

async fn refresh(worker: &Worker<'_>, connection: &Connection) -> Result<Secret, Denied> {
    let stored = stored(worker, connection).await?;
    let Some(sealed) = stored.refresh_token_encrypted else { return Err(Denied::Revoked) };
    let refresh_token = open(worker, connection, Part::Refresh, &stored.key_id, &sealed)?;
    let strava = worker.strava().map_err(failed)?;
    let form = refresh_form(&strava.client, refresh_token.expose());
    let request = strava.token_request(form).ok_or_else(|| failed("STRAVA_API_BASE is no address"))?;
    let reply = outgoing::send(request, TOKEN_ANSWER_BYTES, TOKEN_TIMEOUT).await;
    let reply = reply.map_err(|error| failed(format!("token refresh: {error}")))?;
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if !reply.status.is_success() {
        return Err(refusal(&reply, &body));
    }
    let now = clock::unix_micros();
    let tokens =
        Tokens::read(&body, now).ok_or_else(|| failed("token refresh: the answer holds no token"))?;
    store(worker, connection, &tokens).await?;
    Ok(Secret::from(tokens.access_token))
}

fn refusal(reply: &Reply, body: &Value) -> Denied {
    if reply.status == StatusCode::TOO_MANY_REQUESTS {
        return Denied::Instead(EventOutcome::Wait { until: resumes_at(reply) });
    }
    if is_refused_token(body) {
        return Denied::Revoked;
    }
    failed(format!("token refresh: status {}", reply.status.as_u16()))
}

/// Whether it is the refresh token that is refused. Refused credentials of ours must not disconnect everybody.
fn is_refused_token(body: &Value) -> bool {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    body["error"] == "invalid_grant" || errors.iter().any(|error| error["resource"] == "RefreshToken")
}

/// When Strava's window, which an answer says is used up, begins anew.
pub(crate) fn resumes_at(reply: &Reply) -> UnixMicros {
    resume_at(|name| reply.headers.get(name)?.to_str().ok(), clock::unix_micros())
}

/// The old pair is worth nothing any more, so storing the new one is worth some patience.
async fn store(worker: &Worker<'_>, connection: &Connection, tokens: &Tokens) -> Result<(), Denied> {
    let keys = worker.keys().map_err(failed)?;
    let seal = |part, token: &str| keys.seal(place(connection, part), token, random::bytes());
    let expiry = tokens.expires_at.and_then(|at| Timestamp::from_microsecond(at).ok());
    let message = json!({
        "connection_id": connection.id,
        "worker": worker.name,
        "access_token_encrypted": seal(Part::Access, &tokens.access_token),
        "refresh_token_encrypted": tokens.refresh_token.as_ref().map(|token| seal(Part::Refresh, token)),
        "key_id": keys.key_id(),
        "token_expires_at": expiry,
    });
    insist::<Value>(worker.rpc, "store_connection_token", &message).await?;
    Ok(())
}
