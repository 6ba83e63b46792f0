//! The beginning and the end of a connection, as a signed-in person asks for them.

use serde::Deserialize;
use serde_json::{Value, json};
use welltrack_core::providers::instant;
use welltrack_core::providers::oauth::{self, Provider, Tokens, redirect};
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::provider::Door;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::tokens::{Part, Place};
use welltrack_kit::{clock, random, settings};
use wstd::http::{Body, HeaderMap, Request, StatusCode};

use crate::completion::{ask, told};
use crate::problem::Problem;
use crate::{body, callback_url, key_ring};

/// The longest address that is kept while the person is away.
const LONGEST_ADDRESS: usize = 2048;

#[derive(Deserialize)]
struct Wish {
    provider: Provider,
    #[serde(default)]
    profile_id: Option<String>,
    #[serde(default)]
    redirect_to: Option<String>,
}

/// Who calls, by their own token.
pub(crate) async fn caller(headers: &HeaderMap) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Person {
        user_id: String,
    }
    let rpc = Rpc::as_caller(headers)?.ok_or_else(Problem::unauthorized)?;
    match rpc.call::<Person>("whoami", &json!({})).await {
        Ok(person) => Ok(person.user_id),
        Err(error) if error.is_unauthorized() => Err(Problem::unauthorized()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn authorize(request: Request<Body>) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Kept {
        expires_at: String,
    }
    let (head, payload) = request.into_parts();
    let user_id = caller(&head.headers).await?;
    let wish: Wish = body(payload).await?;
    let pages = settings::optional("PROVIDER_REDIRECT_URLS").unwrap_or_default();
    let is_listed = |to: &String| to.len() <= LONGEST_ADDRESS && redirect::is_allowed(to, &pages);
    if wish.redirect_to.as_ref().is_some_and(|to| !is_listed(to)) {
        let message = "redirect_to is not below one of PROVIDER_REDIRECT_URLS";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "REDIRECT_NOT_ALLOWED", message));
    }
    let (door, keys) = (Door::to(wish.provider)?, key_ring()?);
    let state = oauth::nonce(random::bytes());
    let verifier = wish.provider.uses_pkce().then(|| oauth::nonce(random::bytes()));
    let place = Place { user_id: &user_id, provider: wish.provider, part: Part::Verifier };
    let kept: Kept = Rpc::for_request(&head.headers)?
        .call(
            "create_oauth_state",
            &json!({
                "user_id": user_id, "profile_id": wish.profile_id, "provider": wish.provider.label(),
                "state_hash": oauth::state_hash(&state), "key_id": keys.key_id(), "redirect_to": wish.redirect_to,
                "verifier_encrypted": verifier.as_ref().map(|verifier| keys.seal(place, verifier, random::bytes())),
            }),
        )
        .await?;
    let callback = callback_url()?;
    let url = oauth::authorize_url(
        wish.provider,
        &door.authorize,
        &door.client.id,
        &callback,
        &state,
        verifier.as_deref(),
    );
    Ok(answer::json(StatusCode::OK, &json!({"url": url, "expires_at": kept.expires_at})))
}

/// The consent is taken back at the provider as well as here; what the provider says to it changes nothing here.
pub(crate) async fn disconnect(request: Request<Body>) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Found {
        connection: Connection,
    }
    #[derive(Deserialize)]
    struct Connection {
        id: String,
    }
    let (head, payload) = request.into_parts();
    let user_id = caller(&head.headers).await?;
    let wish: Wish = body(payload).await?;
    let rpc = Rpc::for_request(&head.headers)?;
    let which = json!({"user_id": user_id, "provider": wish.provider.label(), "profile_id": wish.profile_id});
    let connection_id = rpc.call::<Found>("find_connection", &which).await?.connection.id;
    let which = json!({"connection_id": connection_id});
    if let Err(why) = revoke(&rpc, &which, &user_id, wish.provider).await {
        // The person wants out; a provider that can't be reached must not keep them in.
        eprintln!(
            "{} was not told of a disconnection: {}",
            wish.provider.label(),
            why.unwrap_or("no tokens")
        );
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

/// Tells the provider. The error is a word for the log, or nothing where there was nothing to revoke.
async fn revoke(
    rpc: &Rpc,
    which: &Value,
    user_id: &str,
    provider: Provider,
) -> Result<(), Option<&'static str>> {
    let stored: Stored = rpc.call("get_connection_token", which).await.map_err(|_| None)?;
    let keys = key_ring().map_err(|_| Some("WELLTRACK_TOKEN_KEYS is not set up"))?;
    let door = Door::to(provider).map_err(|_| Some("the client is not set up"))?;
    let open = |part, sealed: &str| {
        let place = Place { user_id, provider, part };
        keys.open(&stored.key_id, place, sealed).map_err(|_| Some("the token can't be opened"))
    };
    let mut access = open(Part::Access, &stored.access_token_encrypted)?;
    let mut refresh = match &stored.refresh_token_encrypted {
        Some(sealed) => Some(open(Part::Refresh, sealed)?),
        None => None,
    };
    let is_over = |at: i64| at <= clock::unix_micros();
    let expired = stored.token_expires_at.as_deref().and_then(instant).is_some_and(is_over);
    if let (true, Some(token)) = (expired, &refresh) {
        let form = oauth::refresh_form(&door.client, token.expose());
        let json = told(ask(door.token_request(form)).await).ok_or(Some("the token can't be refreshed"))?;
        let fresh = Tokens::read(&json, clock::unix_micros()).ok_or(Some("the refresh brought no token"))?;
        access = fresh.access_token.into();
        refresh = fresh.refresh_token.map(Into::into).or(refresh);
    }
    let refresh = refresh.as_ref().map(|token| token.expose());
    match ask(door.revocation(access.expose(), refresh)).await {
        Some(reply) if reply.status.is_success() => Ok(()),
        Some(_) => Err(Some("it refused")),
        None => Err(Some("it gave no answer")),
    }
}
