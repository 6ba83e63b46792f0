//! The end of a consent: the page that the person was sent back to says, with the person's own token, that it is theirs.
//!
//! Only the person who began a consent completes it, once. Tokens are sealed before they leave this function.

use serde::Deserialize;
use serde_json::{Value, json};
use welltrack_core::providers::oauth::{self, Provider, Tokens};
use welltrack_core::providers::rfc3339;
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::provider::ProviderEndpoint;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::tokens::{KeyRing, Part, Place};
use welltrack_kit::{clock, random};
use wstd::http::{Body, Request, StatusCode};

use crate::problem::Problem;
use crate::provider::{callback_url, json_if_success, request};
use crate::request::{body, signed_in_user};

/// What the provider gave the browser.
#[derive(Deserialize)]
struct Consent {
    state: String,
    code: String,
    #[serde(default)]
    scope: Option<String>,
}

/// How a consent ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Everything is in place.
    Connected,
    /// The person said no, or allowed too little to bring anything.
    Denied,
    /// Somebody else is connected with that account.
    AccountInUse,
    /// Something broke on the way; beginning again may help.
    Failed,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Ending::Connected => "connected",
            Ending::Denied => "denied",
            Ending::AccountInUse => "account_in_use",
            Ending::Failed => "failed",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Ending::Connected => StatusCode::OK,
            Ending::Denied => StatusCode::FORBIDDEN,
            Ending::AccountInUse => StatusCode::CONFLICT,
            Ending::Failed => StatusCode::BAD_GATEWAY,
        }
    }
}

/// What was kept while the person was away.
#[derive(Deserialize)]
struct OAuthState {
    user_id: String,
    profile_id: String,
    provider: Provider,
    verifier_encrypted: Option<String>,
    key_id: String,
}

pub(crate) async fn complete(incoming: Request<Body>) -> Result<Answer, Problem> {
    let (head, payload) = incoming.into_parts();
    let user_id = signed_in_user(&head.headers).await?;
    let consent: Consent = body(payload).await?;
    let rpc = Rpc::for_request(&head.headers)?;
    let which = json!({"state_hash": oauth::state_hash(&consent.state), "user_id": user_id});
    let state: OAuthState = rpc.call("take_oauth_state", &which).await.map_err(Problem::unknown_state)?;
    // The state is used up, so the page is told how it ended, whatever happens.
    let ending = finish(&rpc, &state, &consent).await.unwrap_or_else(|problem| {
        problem.log();
        Ending::Failed
    });
    let words = json!({"status": ending.word(), "provider": state.provider.label()});
    Ok(answer::json(ending.status(), &words))
}

async fn finish(rpc: &Rpc, state: &OAuthState, consent: &Consent) -> Result<Ending, Problem> {
    let provider = state.provider;
    let granted = consent.scope.as_deref().map(oauth::scopes);
    if granted.as_ref().is_some_and(|scopes| !provider.suffices(scopes)) {
        return Ok(Ending::Denied);
    }
    let (endpoint, keys) = (ProviderEndpoint::from_settings(provider)?, KeyRing::from_settings()?);
    let place = |part| Place { user_id: &state.user_id, provider, part };
    let verifier = match &state.verifier_encrypted {
        Some(sealed) => Some(
            keys.open(&state.key_id, place(Part::Verifier), sealed)
                .map_err(|error| Problem::ours(error.to_string()))?,
        ),
        None => None,
    };
    let callback = callback_url()?;
    let form = oauth::exchange_form(
        &endpoint.client,
        &consent.code,
        &callback,
        verifier.as_ref().map(|v| v.expose()),
    );
    let tokens = json_if_success(request(endpoint.token_request(form)).await)
        .and_then(|json| Tokens::read(&json, clock::unix_micros()))
        .ok_or_else(|| Problem::passing(format!("{} gave no tokens for a code", provider.label())))?;
    let account = account(&endpoint, &tokens).await.ok_or_else(|| {
        Problem::passing(format!("{} does not say whose tokens these are", provider.label()))
    })?;
    let scopes = tokens.scopes.clone().or(granted).unwrap_or_default();
    let row = connection(&keys, state, &tokens, &account, &scopes);
    match rpc.call::<Value>("store_connection", &row).await {
        Ok(_) => Ok(Ending::Connected),
        // Not revoked: that would end the other person's consent, which is to the same account.
        Err(error) if error.is_conflict() => Ok(Ending::AccountInUse),
        Err(error) => Err(error.into()),
    }
}

/// Whose tokens they are.
async fn account(endpoint: &ProviderEndpoint, tokens: &Tokens) -> Option<String> {
    match &tokens.provider_user_id {
        Some(id) => Some(id.clone()),
        None => {
            let json = json_if_success(request(endpoint.user_request(&tokens.access_token)).await)?;
            json["userId"].as_str().filter(|id| (1..=255).contains(&id.len())).map(str::to_owned)
        }
    }
}

fn connection(
    keys: &KeyRing,
    state: &OAuthState,
    tokens: &Tokens,
    account: &str,
    scopes: &[String],
) -> Value {
    let seal = |part, token: &str| {
        let place = Place { user_id: &state.user_id, provider: state.provider, part };
        keys.seal(place, token, random::bytes())
    };
    json!({
        "user_id": state.user_id,
        "profile_id": state.profile_id,
        "provider": state.provider.label(),
        "provider_user_id": account,
        "scopes": scopes,
        "access_token_encrypted": seal(Part::Access, &tokens.access_token),
        "refresh_token_encrypted": tokens.refresh_token.as_deref().map(|token| seal(Part::Refresh, token)),
        "key_id": keys.key_id(),
        "token_expires_at": tokens.expires_at.and_then(rfc3339),
    })
}
