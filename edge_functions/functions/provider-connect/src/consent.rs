//! The beginning and the end of a connection, as a signed-in person asks for them.

use serde::Deserialize;
use serde_json::{Value, json};
use welltrack_core::providers::instant;
use welltrack_core::providers::oauth::{self, Provider, Tokens, redirect};
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::provider::ProviderEndpoint;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::tokens::{KeyRing, Part, Place};
use welltrack_kit::{clock, random, settings};
use wstd::http::{Body, Request, StatusCode};

use crate::problem::Problem;
use crate::provider::{callback_url, json_if_success, request};
use crate::request::{body, signed_in_user};

/// The longest address that is kept while the person is away.
const LONGEST_ADDRESS: usize = 2048;

/// What a person asks for: to be connected, or disconnected.
#[derive(Deserialize)]
struct ConnectRequest {
    provider: Provider,
    #[serde(default)]
    profile_id: Option<String>,
    #[serde(default)]
    redirect_to: Option<String>,
}

/// Answers the address of the consent page.
pub(crate) async fn authorize(incoming: Request<Body>) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Kept {
        expires_at: String,
    }
    let (head, payload) = incoming.into_parts();
    let user_id = signed_in_user(&head.headers).await?;
    let wanted: ConnectRequest = body(payload).await?;
    let pages = settings::optional("PROVIDER_REDIRECT_URLS").unwrap_or_default();
    let is_listed = |to: &String| to.len() <= LONGEST_ADDRESS && redirect::is_allowed(to, &pages);
    if wanted.redirect_to.as_ref().is_some_and(|to| !is_listed(to)) {
        let message = "redirect_to is not below one of PROVIDER_REDIRECT_URLS";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "REDIRECT_NOT_ALLOWED", message));
    }
    let (endpoint, keys) = (ProviderEndpoint::from_settings(wanted.provider)?, KeyRing::from_settings()?);
    let state = oauth::nonce(random::bytes());
    let verifier = wanted.provider.uses_pkce().then(|| oauth::nonce(random::bytes()));
    let place = Place { user_id: &user_id, provider: wanted.provider, part: Part::Verifier };
    let kept: Kept = Rpc::for_request(&head.headers)?
        .call(
            "create_oauth_state",
            &json!({
                "user_id": user_id, "profile_id": wanted.profile_id, "provider": wanted.provider.label(),
                "state_hash": oauth::state_hash(&state), "key_id": keys.key_id(), "redirect_to": wanted.redirect_to,
                "verifier_encrypted": verifier.as_ref().map(|verifier| keys.seal(place, verifier, random::bytes())),
            }),
        )
        .await?;
    let callback = callback_url()?;
    let url = oauth::authorize_url(
        wanted.provider,
        &endpoint.authorize,
        &endpoint.client.id,
        &callback,
        &state,
        verifier.as_deref(),
    );
    Ok(answer::json(StatusCode::OK, &json!({"url": url, "expires_at": kept.expires_at})))
}

/// The consent is taken back at the provider as well as here; what the provider says to it changes nothing here.
pub(crate) async fn disconnect(incoming: Request<Body>) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Found {
        connection: Connection,
    }
    #[derive(Deserialize)]
    struct Connection {
        id: String,
    }
    let (head, payload) = incoming.into_parts();
    let user_id = signed_in_user(&head.headers).await?;
    let wanted: ConnectRequest = body(payload).await?;
    let rpc = Rpc::for_request(&head.headers)?;
    let which =
        json!({"user_id": user_id, "provider": wanted.provider.label(), "profile_id": wanted.profile_id});
    let connection_id = rpc.call::<Found>("find_connection", &which).await?.connection.id;
    let which = json!({"connection_id": connection_id});
    if let Err(why) = revoke(&rpc, &which, &user_id, wanted.provider).await {
        // The person wants out; a provider that can't be reached must not keep them in.
        eprintln!("{} was not told of a disconnection: {why}", wanted.provider.label());
    }
    rpc.call::<Value>("disconnect_provider", &which).await?;
    Ok(answer::json(StatusCode::OK, &json!({})))
}

#[derive(Deserialize)]
struct Stored {
    access_token_encrypted: String,
    refresh_token_encrypted: Option<String>,
    key_id: String,
    token_expires_at: Option<String>,
}

/// Why a provider was not told of a disconnection, for the log.
#[derive(Debug, thiserror::Error)]
enum RevokeError {
    #[error("no tokens")]
    NoTokens,
    #[error("WELLTRACK_TOKEN_KEYS is not set up")]
    NoKeys,
    #[error("the client is not set up")]
    NoClient,
    #[error("the token can't be opened")]
    Sealed,
    #[error("the token can't be refreshed")]
    NotRefreshed,
    #[error("the refresh brought no token")]
    NoFreshToken,
    #[error("it refused")]
    Refused,
    #[error("it gave no answer")]
    NoAnswer,
}

/// Tells the provider.
async fn revoke(rpc: &Rpc, which: &Value, user_id: &str, provider: Provider) -> Result<(), RevokeError> {
    let stored: Stored = rpc.call("get_connection_token", which).await.map_err(|_| RevokeError::NoTokens)?;
    let keys = KeyRing::from_settings().map_err(|_| RevokeError::NoKeys)?;
    let endpoint = ProviderEndpoint::from_settings(provider).map_err(|_| RevokeError::NoClient)?;
    let open = |part, sealed: &str| {
        let place = Place { user_id, provider, part };
        keys.open(&stored.key_id, place, sealed).map_err(|_| RevokeError::Sealed)
    };
    let mut access = open(Part::Access, &stored.access_token_encrypted)?;
    let mut refresh = match &stored.refresh_token_encrypted {
        Some(sealed) => Some(open(Part::Refresh, sealed)?),
        None => None,
    };
    let is_over = |at: i64| at <= clock::unix_micros();
    let expired = stored.token_expires_at.as_deref().and_then(instant).is_some_and(is_over);
    if let (true, Some(token)) = (expired, &refresh) {
        let form = oauth::refresh_form(&endpoint.client, token.expose());
        let answer = request(endpoint.token_request(form)).await;
        let json = json_if_success(answer).ok_or(RevokeError::NotRefreshed)?;
        let fresh = Tokens::read(&json, clock::unix_micros()).ok_or(RevokeError::NoFreshToken)?;
        access = fresh.access_token.into();
        refresh = fresh.refresh_token.map(Into::into).or(refresh);
    }
    let refresh = refresh.as_ref().map(|token| token.expose());
    match request(endpoint.revocation(access.expose(), refresh)).await {
        Some(reply) if reply.status.is_success() => Ok(()),
        Some(_) => Err(RevokeError::Refused),
        None => Err(RevokeError::NoAnswer),
    }
}
