//! People and how they prove who they are: `auth.users`, `auth.identities`, passwords.
//!
//! An e-mail address or a phone number is checked and written in one form before it is stored or looked for. A password is kept
//! as a bcrypt hash and never leaves this file.

use super::error::AuthError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_postgres::{Client, GenericClient, Row};
use uuid::Uuid;

/// GoTrue's cost, about 50 ms.
const BCRYPT_COST: u32 = 10;
/// bcrypt reads no further.
const MAX_PASSWORD: usize = 72;
const MIN_PASSWORD: usize = 6;

/// An address that a person can be found by, in the form in which it is stored.
#[derive(Clone)]
pub(super) enum Identity {
    Email(String),
    Phone(String),
}

impl Identity {
    /// Lower case, one `@` with something before it and a domain behind it.
    pub(super) fn email(text: &str) -> Result<Self, AuthError> {
        let address = text.trim().to_lowercase();
        let well_formed = address.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !domain.contains('@') && domain.split('.').all(|label| !label.is_empty())
        });
        let plain = !address.chars().any(|c| c.is_whitespace() || c.is_control());
        if well_formed && plain && address.len() <= 255 {
            return Ok(Self::Email(address));
        }
        Err(AuthError::bad_request("validation_failed", "Unable to validate email address: invalid format"))
    }

    /// E.164 without the plus: at most 15 digits, the first not zero.
    pub(super) fn phone(text: &str) -> Result<Self, AuthError> {
        let digits = text.trim().trim_start_matches('+').replace(' ', "");
        let well_formed = (2..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed {
            return Ok(Self::Phone(digits));
        }
        Err(AuthError::bad_request("validation_failed", "Invalid phone number format (E.164 required)"))
    }

    fn provider(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
        }
    }

    fn address(&self) -> &str {
        match self {
            Self::Email(address) | Self::Phone(address) => address,
        }
    }

    fn data(&self, user: Uuid) -> Value {
        json!({
            self.provider(): self.address(),
            "email_verified": matches!(self, Self::Email(_)),
            "phone_verified": matches!(self, Self::Phone(_)),
            "sub": user,
        })
    }
}

/// A person as GoTrue shows them, keys in its order.
#[derive(Serialize)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) aud: String,
    pub(super) role: String,
    pub(super) email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_confirmed_at: Option<String>,
    pub(super) phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<String>,
    pub(super) app_metadata: Value,
    pub(super) user_metadata: Value,
    identities: Value,
    created_at: Option<String>,
    updated_at: Option<String>,
    pub(super) is_anonymous: bool,
}

// Times as Go writes them.
const USER: &str = r#"
    with shown as (select 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' as form)
    select u.id, coalesce(u.aud, ''), coalesce(u.role, ''), coalesce(u.email, ''),
           to_char(u.email_confirmed_at at time zone 'UTC', form), coalesce(u.phone, ''),
           to_char(u.phone_confirmed_at at time zone 'UTC', form), to_char(u.confirmed_at at time zone 'UTC', form),
           to_char(u.last_sign_in_at at time zone 'UTC', form),
           coalesce(u.raw_app_meta_data, '{}'), coalesce(u.raw_user_meta_data, '{}'),
           (select coalesce(json_agg(json_build_object(
                       'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id, 'identity_data', i.identity_data,
                       'provider', i.provider, 'last_sign_in_at', to_char(i.last_sign_in_at at time zone 'UTC', form),
                       'created_at', to_char(i.created_at at time zone 'UTC', form),
                       'updated_at', to_char(i.updated_at at time zone 'UTC', form), 'email', i.email)
                       order by i.created_at), '[]')
              from auth.identities i where i.user_id = u.id),
           to_char(u.created_at at time zone 'UTC', form), to_char(u.updated_at at time zone 'UTC', form),
           u.is_anonymous
      from auth.users u, shown
     where u.id = $1 and u.deleted_at is null"#;

impl User {
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            aud: row.try_get(1)?,
            role: row.try_get(2)?,
            email: row.try_get(3)?,
            email_confirmed_at: row.try_get(4)?,
            phone: row.try_get(5)?,
            phone_confirmed_at: row.try_get(6)?,
            confirmed_at: row.try_get(7)?,
            last_sign_in_at: row.try_get(8)?,
            app_metadata: row.try_get(9)?,
            user_metadata: row.try_get(10)?,
            identities: row.try_get(11)?,
            created_at: row.try_get(12)?,
            updated_at: row.try_get(13)?,
            is_anonymous: row.try_get(14)?,
        })
    }
}

pub(super) async fn get(client: &impl GenericClient, id: Uuid) -> Result<Option<User>, AuthError> {
    let row = client.query_opt(USER, &[&id]).await?;
    Ok(row.as_ref().map(User::from_row).transpose()?)
}

/// The person of an address, with the hash of their password.
pub(super) async fn find(
    client: &Client,
    identity: &Identity,
) -> Result<Option<(Uuid, Option<String>)>, AuthError> {
    let sql = match identity {
        Identity::Email(_) => {
            "select id, encrypted_password from auth.users where email = $1 and not is_sso_user and deleted_at is null"
        }
        Identity::Phone(_) => {
            "select id, encrypted_password from auth.users where phone = $1 and deleted_at is null"
        }
    };
    let row = client.query_opt(sql, &[&identity.address()]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

pub(super) async fn is_banned(client: &Client, id: Uuid) -> Result<bool, AuthError> {
    let sql = "select coalesce(banned_until > now(), false) from auth.users where id = $1";
    let row = client.query_opt(sql, &[&id]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

pub(super) async fn password_hash(client: &Client, id: Uuid) -> Result<Option<String>, AuthError> {
    let row = client.query_one("select encrypted_password from auth.users where id = $1", &[&id]).await?;
    Ok(row.try_get(0)?)
}

/// Signs somebody up, confirmed.
pub(super) async fn create(
    client: &mut Client,
    identity: Option<Identity>,
    hash: Option<String>,
    data: Map<String, Value>,
) -> Result<User, AuthError> {
    let id = Uuid::new_v4();
    let provider = identity.as_ref().map(Identity::provider);
    let app_metadata = match provider {
        Some(provider) => json!({ "provider": provider, "providers": [provider] }),
        None => json!({}),
    };
    let mut metadata = data;
    if let Some(Value::Object(known)) = identity.as_ref().map(|identity| identity.data(id)) {
        metadata.extend(known);
    }
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into auth.users (instance_id, id, aud, role, encrypted_password, raw_app_meta_data,
                                     raw_user_meta_data, is_anonymous, created_at, updated_at, last_sign_in_at,
                                     confirmation_token, recovery_token, email_change_token_new, email_change)
             values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated', $2, $3, $4, $5,
                     now(), now(), now(), '', '', '', '')",
            &[&id, &hash.unwrap_or_default(), &app_metadata, &Value::Object(metadata), &identity.is_none()],
        )
        .await?;
    if let Some(identity) = identity {
        add_identity(&transaction, id, &identity).await?;
    }
    let user =
        get(&transaction, id).await?.ok_or_else(|| AuthError::internal("Database error saving new user"))?;
    transaction.commit().await?;
    Ok(user)
}

/// What a person changes about themselves.
pub(super) struct Changes {
    pub(super) identity: Option<Identity>,
    pub(super) hash: Option<String>,
    pub(super) data: Option<Map<String, Value>>,
}

/// Changes a person; with a new password, every other session ends.
pub(super) async fn update(
    client: &mut Client,
    id: Uuid,
    session: Uuid,
    changes: Changes,
) -> Result<User, AuthError> {
    let transaction = client.transaction().await?;
    if let Some(data) = changes.data {
        // A null takes its key away.
        transaction
            .execute(
                "update auth.users
                    set raw_user_meta_data = (select coalesce(jsonb_object_agg(key, value), '{}')
                            from jsonb_each(coalesce(raw_user_meta_data, '{}') || $2) where value <> 'null'),
                        updated_at = now()
                  where id = $1",
                &[&id, &Value::Object(data)],
            )
            .await?;
    }
    if let Some(hash) = changes.hash {
        transaction
            .execute(
                "update auth.users set encrypted_password = $2, updated_at = now() where id = $1",
                &[&id, &hash],
            )
            .await?;
        transaction
            .execute("delete from auth.sessions where user_id = $1 and id <> $2", &[&id, &session])
            .await?;
    }
    if let Some(identity) = changes.identity {
        add_identity(&transaction, id, &identity).await.map_err(AuthError::taken_by(&identity))?;
    }
    let user = get(&transaction, id).await?.ok_or_else(AuthError::session_not_found)?;
    transaction.commit().await?;
    Ok(user)
}

/// Gives a person an address, in place of one of the same kind. Whoever was nobody in particular is somebody now.
async fn add_identity(
    client: &impl GenericClient,
    id: Uuid,
    identity: &Identity,
) -> Result<(), tokio_postgres::Error> {
    let update = match identity {
        Identity::Email(_) => "update auth.users set email = $2, email_confirmed_at = now()",
        Identity::Phone(_) => "update auth.users set phone = $2, phone_confirmed_at = now()",
    };
    let sql = format!(
        "{update}, is_anonymous = false, updated_at = now(),
                raw_app_meta_data = coalesce(raw_app_meta_data, '{{}}') || jsonb_build_object(
                    'provider', coalesce(raw_app_meta_data -> 'provider', to_jsonb($3::text)),
                    'providers', (select jsonb_agg(distinct p)
                                    from jsonb_array_elements(coalesce(raw_app_meta_data -> 'providers', '[]')
                                                              || to_jsonb($3::text)) p))
          where id = $1"
    );
    client.execute(&sql, &[&id, &identity.address(), &identity.provider()]).await?;
    client
        .execute(
            "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
             values ($1::uuid::text, $1, $2, $3, now(), now(), now())
             on conflict (provider_id, provider) do update set identity_data = excluded.identity_data, updated_at = now()",
            &[&id, &identity.data(id), &identity.provider()],
        )
        .await?;
    Ok(())
}

impl AuthError {
    /// An address that somebody else has.
    fn taken_by(identity: &Identity) -> impl Fn(tokio_postgres::Error) -> Self {
        let (code, what) = match identity {
            Identity::Email(_) => ("email_exists", "email address"),
            Identity::Phone(_) => ("phone_exists", "phone number"),
        };
        move |error| match error.code() {
            Some(code_of) if code_of == &tokio_postgres::error::SqlState::UNIQUE_VIOLATION => {
                Self::unprocessable(code, &format!("A user with this {what} has already been registered"))
            }
            _ => error.into(),
        }
    }
}

pub(super) fn check_password(password: &str) -> Result<(), AuthError> {
    if password.len() > MAX_PASSWORD {
        return Err(AuthError::bad_request(
            "validation_failed",
            "Password cannot be longer than 72 characters",
        ));
    }
    if password.chars().count() < MIN_PASSWORD {
        return Err(AuthError::weak_password("Password should be at least 6 characters.", "length"));
    }
    Ok(())
}

pub(super) async fn hash(password: String) -> Result<String, AuthError> {
    hashing(move || bcrypt::hash(password, BCRYPT_COST).map_err(|_| unusable())).await
}

/// Whether a password is the one that was hashed. Without a hash it takes as long to say no.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool, AuthError> {
    // bcrypt would look at the first 72 bytes and call the rest equal.
    let possible = password.len() <= MAX_PASSWORD;
    hashing(move || {
        let stored = hash.filter(|hash| !hash.is_empty());
        let matches = match &stored {
            Some(hash) => bcrypt::verify(&password, hash).unwrap_or(false),
            None => bcrypt::hash(&password, BCRYPT_COST).is_err(),
        };
        Ok(matches && stored.is_some() && possible)
    })
    .await
}

/// A core is busy for as long as bcrypt takes: not one of those that serve.
async fn hashing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(unusable()))
}

fn unusable() -> AuthError {
    AuthError::bad_request("validation_failed", "Password cannot be used")
}
