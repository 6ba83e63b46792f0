//! Sessions and their tokens: `auth.sessions`, `auth.refresh_tokens`, and the access token that comes with them.
//!
//! A refresh token is good once. Used again at once (within ten seconds), or when its successor was never used, it is taken for a
//! client that lost the answer and gets a good token. Used again later, somebody has stolen it, and the whole session ends. Two
//! uses at the same time go one after the other. Access tokens that were given out stay good until they expire.

use super::{error::AuthError, users::User};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::{
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

/// How long an access token is good, in seconds.
const EXPIRES_IN: u64 = 3600;

/// A session with a refresh token for it.
pub(super) struct Grant {
    session: Uuid,
    refresh_token: String,
    /// When the person signed in, in seconds since 1970.
    signed_in: i64,
}

/// Which sessions end.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    Global,
    Local,
    Others,
}

impl FromStr for Scope {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, AuthError> {
        match text {
            "global" => Ok(Self::Global),
            "local" => Ok(Self::Local),
            "others" => Ok(Self::Others),
            _ => Err(AuthError::bad_request("validation_failed", "Unsupported logout scope")),
        }
    }
}

/// Signs a person in on one more device.
pub(super) async fn start(
    client: &mut Client,
    user: Uuid,
    user_agent: Option<&str>,
) -> Result<Grant, AuthError> {
    let session = Uuid::new_v4();
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent)
             values ($1, $2, now(), now(), 'aal1', $3)",
            &[&session, &user, &user_agent],
        )
        .await?;
    transaction.execute("update auth.users set last_sign_in_at = now() where id = $1", &[&user]).await?;
    let refresh_token = insert_token(&transaction, user, session, None).await?;
    transaction.commit().await?;
    Ok(Grant { session, refresh_token, signed_in: now() })
}

/// Exchanges a refresh token for the next.
pub(super) async fn refresh(client: &mut Client, token: &str) -> Result<(Uuid, Grant), AuthError> {
    let transaction = client.transaction().await?;
    // The session's lock lets two uses of one token see each other.
    let row = transaction
        .query_opt(
            "select t.session_id, s.user_id, extract(epoch from s.created_at)::bigint
               from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id
              where t.token = $1 for update of s",
            &[&token],
        )
        .await?
        .ok_or_else(AuthError::token_not_found)?;
    let (session, user, signed_in): (Uuid, Uuid, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let state = transaction
        .query_one(
            "select t.revoked, t.updated_at > clock_timestamp() - interval '10 seconds',
                    (select a.token from auth.refresh_tokens a
                      where a.session_id = t.session_id and not a.revoked and a.parent = t.token limit 1)
               from auth.refresh_tokens t where t.token = $1",
            &[&token],
        )
        .await?;
    let (revoked, just_now): (bool, bool) = (state.try_get(0)?, state.try_get(1)?);
    let unused_successor: Option<String> = state.try_get(2)?;

    let refresh_token = match unused_successor {
        Some(successor) if revoked => successor,
        _ if revoked && !just_now => {
            transaction
                .execute(
                    "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = $1 and not revoked",
                    &[&session],
                )
                .await?;
            // The refusal is an error; that the session ended has to stay.
            transaction.commit().await?;
            return Err(AuthError::bad_request(
                "refresh_token_already_used",
                "Invalid Refresh Token: Already Used",
            ));
        }
        _ => {
            transaction
                .execute(
                    "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = $1 and not revoked",
                    &[&session],
                )
                .await?;
            insert_token(&transaction, user, session, Some(token)).await?
        }
    };
    transaction
        .execute(
            "update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now() where id = $1",
            &[&session],
        )
        .await?;
    transaction.commit().await?;
    Ok((user, Grant { session, refresh_token, signed_in }))
}

async fn insert_token(
    client: &impl GenericClient,
    user: Uuid,
    session: Uuid,
    parent: Option<&str>,
) -> Result<String, tokio_postgres::Error> {
    // 122 random bits.
    let token = Uuid::new_v4().simple().to_string();
    client
        .execute(
            "insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id)
             values ('00000000-0000-0000-0000-000000000000', $1, $2::uuid::text, false, now(), clock_timestamp(), $3, $4)",
            &[&token, &user, &parent, &session],
        )
        .await?;
    Ok(token)
}

pub(super) async fn exists(client: &Client, user: Uuid, session: Uuid) -> Result<bool, AuthError> {
    let row = client
        .query_one(
            "select exists (select from auth.sessions where id = $1 and user_id = $2)",
            &[&session, &user],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Ends sessions; their refresh tokens go with them.
pub(super) async fn end(client: &Client, user: Uuid, session: Uuid, scope: Scope) -> Result<(), AuthError> {
    let which = match scope {
        Scope::Global => "true or id = $2",
        Scope::Local => "id = $2",
        Scope::Others => "id <> $2",
    };
    let sql = format!("delete from auth.sessions where user_id = $1 and ({which})");
    client.execute(&sql, &[&user, &session]).await?;
    Ok(())
}

impl Grant {
    /// GoTrue's answer to everything that signs somebody in.
    pub(super) fn access_token(
        &self,
        user: &User,
        issuer: &str,
        audience: &str,
        key: &EncodingKey,
    ) -> Result<Value, AuthError> {
        let issued = now();
        let expires = issued + EXPIRES_IN as i64;
        let method = if user.is_anonymous { "anonymous" } else { "password" };
        let claims = json!({
            "iss": issuer,
            "sub": user.id,
            "aud": audience,
            "exp": expires,
            "iat": issued,
            "email": user.email,
            "phone": user.phone,
            "app_metadata": user.app_metadata,
            "user_metadata": user.user_metadata,
            "role": user.role,
            "aal": "aal1",
            "amr": [{ "method": method, "timestamp": self.signed_in }],
            "session_id": self.session,
            "is_anonymous": user.is_anonymous,
        });
        let access_token = jsonwebtoken::encode(&Header::default(), &claims, key)
            .map_err(|_| AuthError::internal("The token could not be signed"))?;
        Ok(json!({
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": EXPIRES_IN,
            "expires_at": expires,
            "refresh_token": self.refresh_token,
            "user": user,
        }))
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
