//! `/functions/v1/provider-connect/...`: connects people with Garmin and Strava, and disconnects them.
//!
//! | path | who | what |
//! | --- | --- | --- |
//! | `POST authorize` | a signed-in person | `{"provider", "profile_id"?, "redirect_to"?}` -> `{"url", "expires_at"}`: where to send them |
//! | `GET callback` | their browser, back from the provider | 302 to `redirect_to?status=consented&provider&state&code&scope`, or `denied`, `failed` |
//! | `POST complete` | the person who began | `{"state", "code", "scope"?}` -> `{"status": "connected", "provider"}`: the code became tokens |
//! | `POST disconnect` | a signed-in person | `{"provider", "profile_id"?}` -> `{}`: consent ended, tokens gone |
//! | `POST rotate-keys` | the service role | `{}` -> `{"key_id", "rotated", "unreadable"}`: tokens moved to the first key |
//!
//! Promises: who calls is asked of the database with the caller's own token, so this needs no check in front of it, which
//! `callback`, coming from a provider, could not pass; a state is good once, and for who
//! began it; a person is sent back to listed pages only; tokens are
//! sealed before they leave this function. Stops at readings.
//!
//! Settings: those of `welltrack_kit::provider`; WELLTRACK_TOKEN_KEYS; PROVIDER_REDIRECT_URLS, comma-separated beginnings of pages
//! that people may be sent back to; PROVIDER_CALLBACK_URL, where the callback's public address is not SUPABASE_URL's.

mod callback;
mod completion;
mod consent;
mod problem;
mod rotation;

use serde::de::DeserializeOwned;
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::settings::{self, Missing};
use welltrack_kit::tokens::KeyRing;
use wstd::http::{Body, Error, Method, Request, StatusCode};

use problem::Problem;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Answer, Error> {
    let path =
        request.uri().path().trim_end_matches('/').strip_prefix("/provider-connect").unwrap_or_default();
    let answer = match (path, request.method()) {
        ("/authorize", &Method::POST) => consent::authorize(request).await,
        ("/callback", &Method::GET) => callback::callback(&request).await,
        ("/complete", &Method::POST) => completion::complete(request).await,
        ("/disconnect", &Method::POST) => consent::disconnect(request).await,
        ("/rotate-keys", &Method::POST) => rotation::rotate_keys(&request).await,
        ("/authorize" | "/callback" | "/complete" | "/disconnect" | "/rotate-keys", _) => {
            Err(Problem::method())
        }
        _ => Err(Problem::path()),
    };
    Ok(answer.unwrap_or_else(|problem| {
        problem.log();
        answer::problem(problem.status, problem.code, &problem.message)
    }))
}

/// The keys that seal tokens.
fn key_ring() -> Result<KeyRing, Problem> {
    let text = settings::required("WELLTRACK_TOKEN_KEYS")?;
    KeyRing::parse(&text).map_err(|error| Problem::ours(error.to_string()))
}

/// The address that providers send people back to.
fn callback_url() -> Result<String, Missing> {
    settings::optional("PROVIDER_CALLBACK_URL").map_or_else(
        || {
            let base = settings::required("SUPABASE_URL")?;
            Ok(format!("{}/functions/v1/provider-connect/callback", base.trim_end_matches('/')))
        },
        Ok,
    )
}

/// The request's body as what the path expects.
async fn body<T: DeserializeOwned>(mut body: Body) -> Result<T, Problem> {
    const LONGEST: usize = 16 << 10;
    let bytes = body.contents().await.map_err(|_| Problem::body("it broke off"))?;
    if bytes.len() > LONGEST {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "TOO_LARGE",
            "the body is larger than 16 KB",
        ));
    }
    serde_json::from_slice(bytes).map_err(Problem::body)
}
