//! `/functions/v1/provider-connect/...`: connects people with Garmin and Strava, and disconnects them.
//!
//! Who calls is asked of the database with the caller's own token, so this needs no check in front of it. A state is good once, and
//! only for the person who began. Tokens are sealed before they leave this function. `docs/reference/edge-functions.md` lists paths
//! and settings.

mod callback;
mod completion;
mod consent;
mod problem;
mod provider;
mod request;
mod rotation;

use welltrack_kit::answer::{self, Answer};
use wstd::http::{Body, Error, Method, Request};

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
        ("/callback", _) => return Ok(answer::method_not_allowed("GET")),
        ("/authorize" | "/complete" | "/disconnect" | "/rotate-keys", _) => {
            return Ok(answer::method_not_allowed("POST"));
        }
        _ => Err(Problem::path()),
    };
    Ok(answer.unwrap_or_else(|problem| {
        problem.log();
        answer::problem(problem.status, problem.code, &problem.message)
    }))
}
