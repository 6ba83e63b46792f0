//! Where a provider sends a person back to, with a code or with a refusal.
//!
//! It leads on to the page that the consent was begun for, and connects nobody: whose browser this is, is unknown here. A link to
//! a consent page can be sent to somebody else, whose readings would then be the sender's.

use serde::Deserialize;
use serde_json::{Map, json};
use welltrack_core::providers::oauth::{self, Provider, redirect};
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::rpc::Rpc;
use wstd::http::{Body, HeaderValue, Request, StatusCode};

use crate::problem::Problem;

/// What the page needs to complete a consent, by the provider's own names.
const HANDED_ON: [&str; 3] = ["state", "code", "scope"];

/// What the callback may know of a consent.
#[derive(Deserialize)]
struct Begun {
    provider: Provider,
    redirect_to: Option<String>,
}

pub(crate) async fn callback(request: &Request<Body>) -> Result<Answer, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let rpc = Rpc::for_request(request.headers())?;
    let state = oauth::parameter(query, "state").unwrap_or_default();
    let begun: Begun = rpc
        .call("find_oauth_state", &json!({"state_hash": oauth::state_hash(&state)}))
        .await
        .map_err(Problem::unknown_state)?;
    let status = match (oauth::parameter(query, "error").as_deref(), oauth::parameter(query, "code")) {
        (Some("access_denied"), _) => "denied",
        (None, Some(_)) => "consented",
        _ => "failed",
    };
    let mut words = vec![("status", status.to_owned()), ("provider", begun.provider.label().to_owned())];
    if status == "consented" {
        let handed_on = |name| oauth::parameter(query, name).map(|value| (name, value));
        words.extend(HANDED_ON.into_iter().filter_map(handed_on));
    }
    Ok(sent_back(begun.redirect_to.as_deref(), &words))
}

fn sent_back(redirect_to: Option<&str>, words: &[(&str, String)]) -> Answer {
    let place = redirect_to
        .and_then(|to| HeaderValue::from_str(&redirect::with_query(to, &oauth::query(words))).ok());
    let mut answer = match place {
        Some(place) => {
            let mut answer = answer::empty(StatusCode::FOUND);
            answer.headers_mut().insert("location", place);
            answer
        }
        None => {
            let words: Map<_, _> = words.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
            answer::json(StatusCode::OK, &words)
        }
    };
    // The address of this page holds a code.
    answer.headers_mut().insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    answer.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    answer
}
