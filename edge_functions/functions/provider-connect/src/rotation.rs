//! Keys change: what was sealed with an older key is sealed anew with the first.

use serde::Deserialize;
use serde_json::json;
use welltrack_core::providers::oauth::Provider;
use welltrack_kit::answer::{self, Answer};
use welltrack_kit::random;
use welltrack_kit::rpc::Rpc;
use welltrack_kit::tokens::{KeyRing, OpenError, Part, Place};
use wstd::http::{Body, Request, StatusCode};

use crate::problem::Problem;

/// So many are handed out at once: they are this rotation's for a minute.
const PORTION: u32 = 100;

#[derive(Deserialize)]
struct Portion {
    tokens: Vec<Sealed>,
}

#[derive(Deserialize)]
struct Sealed {
    connection_id: String,
    user_id: String,
    provider: Provider,
    access_token_encrypted: String,
    refresh_token_encrypted: Option<String>,
    key_id: String,
}

#[derive(Deserialize)]
struct RotateResult {
    rotated: bool,
}

/// The database's functions for this are the service role's alone, and they are called with the caller's own token.
pub(crate) async fn rotate_keys(request: &Request<Body>) -> Result<Answer, Problem> {
    let rpc = Rpc::as_caller(request.headers())?.ok_or_else(refused)?;
    let keys = KeyRing::from_settings()?;
    let (mut rotated, mut unreadable) = (0_u64, 0_u64);
    loop {
        let asked = json!({"key_id": keys.key_id(), "limit": PORTION});
        let portion: Portion = rpc
            .call("tokens_to_rotate", &asked)
            .await
            .map_err(|error| if error.is_unauthorized() { refused() } else { error.into() })?;
        let mut moved = 0;
        for token in portion.tokens {
            let Ok((access, refresh)) = token.under_first_key(&keys) else {
                // Its key is gone: the person has to connect once more.
                unreadable += 1;
                continue;
            };
            let row = json!({
                "connection_id": token.connection_id, "old_key_id": token.key_id, "key_id": keys.key_id(),
                "access_token_encrypted": access, "refresh_token_encrypted": refresh,
            });
            moved += u64::from(rpc.call::<RotateResult>("rotate_token", &row).await?.rotated);
        }
        rotated += moved;
        // Also when all that is left can't be read.
        if moved == 0 {
            let counts = json!({"key_id": keys.key_id(), "rotated": rotated, "unreadable": unreadable});
            return Ok(answer::json(StatusCode::OK, &counts));
        }
    }
}

fn refused() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", "keys are rotated with the service role's key")
}

impl Sealed {
    fn under_first_key(&self, keys: &KeyRing) -> Result<(String, Option<String>), OpenError> {
        let again = |part, sealed: &str| {
            let place = Place { user_id: &self.user_id, provider: self.provider, part };
            let plain = keys.open(&self.key_id, place, sealed)?;
            Ok(keys.seal(place, plain.expose(), random::bytes()))
        };
        let refresh = self.refresh_token_encrypted.as_deref().map(|sealed| again(Part::Refresh, sealed));
        Ok((again(Part::Access, &self.access_token_encrypted)?, refresh.transpose()?))
    }
}
