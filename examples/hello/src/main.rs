//! The smallest function that is of use: `POST /functions/v1/hello` with `{"name": "Ada"}` answers `{"message": "Hello Ada!"}`.

use serde::{Deserialize, Serialize};
use wstd::http::{Body, Error, Request, Response, StatusCode};

#[derive(Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    message: String,
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let mut body = request.into_body();
    match serde_json::from_slice::<Question>(body.contents().await?) {
        Ok(question) => answer(StatusCode::OK, format!("Hello {}!", question.name)),
        Err(problem) => answer(StatusCode::BAD_REQUEST, format!("send {{\"name\": \"...\"}}: {problem}")),
    }
}

fn answer(status: StatusCode, message: String) -> Result<Response<Body>, Error> {
    let body = Body::from_json(&Greeting { message })?;
    Ok(Response::builder().status(status).header("content-type", "application/json").body(body)?)
}
