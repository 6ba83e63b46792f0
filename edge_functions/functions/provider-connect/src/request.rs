//! What a request brings: the person who signed it, and a body.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use welltrack_kit::rpc::Rpc;
use wstd::http::{Body, HeaderMap, StatusCode};

use crate::problem::Problem;

/// The largest body.
const LONGEST: usize = 16 << 10;

/// The person whose token the request carries. The database checks it.
pub(crate) async fn signed_in_user(headers: &HeaderMap) -> Result<String, Problem> {
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

/// The request's body as what the path expects.
pub(crate) async fn body<T: DeserializeOwned>(mut body: Body) -> Result<T, Problem> {
    let bytes = body.contents().await.map_err(|_| Problem::body("it broke off"))?;
    if bytes.len() > LONGEST {
        let message = "the body is larger than 16 KB";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message));
    }
    serde_json::from_slice(bytes).map_err(Problem::body)
}
