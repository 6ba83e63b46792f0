//! `/auth/v1` of the local stack: a stand-in for GoTrue (Supabase Auth), for a developer's machine only.
//!
//! Sign-up and sign-in by e-mail, phone or as nobody in particular, rotation of refresh tokens with reuse detection, sessions,
//! `/user`, `/logout`, `/settings` and `/health` answer with GoTrue's JSON and GoTrue's errors. Passwords are kept as bcrypt
//! hashes. Everybody is confirmed at once, as with the Supabase CLI's defaults. Mail, text messages, single sign-on, second
//! factors and the admin API are not there: those paths answer 404. Source: github.com/supabase/auth, openapi.yaml.

mod error;
mod sessions;
mod users;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
    routing::any,
};
use error::AuthError;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use jsonwebtoken::EncodingKey;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sessions::Grant;
use std::{fmt, sync::Arc};
use users::{Identity, User};
use uuid::Uuid;
use welltrack_api::{
    AddressError, Secret, database,
    jwt::{Caller, Role, Verifier, bearer},
};

/// The most that a request to GoTrue needs, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// How many people can be served at once: hashing passwords is what takes long.
const POOL_SIZE: usize = 8;

/// What the local GoTrue is started with.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The URL of `supabase_auth_admin`.
    pub db_url: Secret,
    /// Who verifies tokens; they are signed with its secret.
    pub verifier: Arc<Verifier>,
    /// The public URL of this service, `SUPABASE_URL` and `/auth/v1`: the tokens' issuer.
    pub issuer: String,
    /// Whether nobody in particular may sign up (`[auth] enable_anonymous_sign_ins` of supabase/config.toml).
    pub anonymous_sign_ins: bool,
}

/// Why the local GoTrue can't be had.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database URL can't be read.
    #[error(transparent)]
    Database(#[from] AddressError),
}

/// The local GoTrue, ready to be mounted.
#[derive(Clone)]
pub struct Auth {
    service: Arc<Service>,
}

struct Service {
    pool: database::Pool,
    verifier: Arc<Verifier>,
    signing_key: EncodingKey,
    issuer: String,
    anonymous_sign_ins: bool,
}

impl Auth {
    /// The service over its database, which need not be up yet.
    ///
    /// # Errors
    /// [`StartError`] for a URL that can't be read.
    pub fn new(settings: AuthSettings) -> Result<Self, StartError> {
        let secret = settings.verifier.settings().hs256_secret.expose();
        let service = Service {
            pool: database::pool(settings.db_url.expose(), POOL_SIZE, "auth")?,
            signing_key: EncodingKey::from_secret(secret.as_bytes()),
            verifier: settings.verifier,
            issuer: settings.issuer,
            anonymous_sign_ins: settings.anonymous_sign_ins,
        };
        Ok(Self { service: Arc::new(service) })
    }

    /// Routes for `/auth/v1/...`.
    pub fn router(&self) -> Router {
        Router::new().route("/auth/v1/{*path}", any(handle)).with_state(self.service.clone())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("issuer", &self.service.issuer).finish_non_exhaustive()
    }
}

async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let new_errors = error::wants_new_errors(&parts.headers);
    let answer = match to_bytes(body, MAX_BODY).await {
        Ok(body) => service.answer(&parts, &body).await,
        Err(_) => Err(AuthError::bad_request("bad_json", "Could not read request body")),
    };
    answer.unwrap_or_else(|error| error.into_response(new_errors)).map(Body::from)
}

/// An answer with its body in one piece.
type Answer = Result<http::Response<Bytes>, AuthError>;

/// What a body may say, over all endpoints.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthRequest {
    email: Option<String>,
    phone: Option<String>,
    password: Option<String>,
    data: Option<Map<String, Value>>,
    refresh_token: Option<String>,
}

impl AuthRequest {
    fn of(body: &[u8]) -> Result<Self, AuthError> {
        serde_json::from_slice(body)
            .map_err(|_| AuthError::bad_request("bad_json", "Could not parse request body as JSON"))
    }

    /// The identity that they name. An empty string is none, as for GoTrue.
    fn identity(&self) -> Result<Option<Identity>, AuthError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&self.email), given(&self.phone)) {
            (Some(_), Some(_)) => Err(AuthError::bad_request(
                "validation_failed",
                "Only an email address or phone number should be provided on signup.",
            )),
            (Some(email), None) => Identity::email(&email).map(Some),
            (None, Some(phone)) => Identity::phone(&phone).map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl Service {
    async fn answer(&self, parts: &Parts, body: &[u8]) -> Answer {
        let path = parts.uri.path().trim_start_matches("/auth/v1");
        let query = parts.uri.query().unwrap_or_default();
        match (&parts.method, path) {
            (&Method::GET, "/health") => Ok(ok(&json!({
                "version": env!("CARGO_PKG_VERSION"),
                "name": "GoTrue",
                "description": "GoTrue is a user registration and authentication API",
            }))),
            (&Method::GET, "/settings") => Ok(ok(&self.settings())),
            // The secret is shared, so there is no public key to publish.
            (&Method::GET, "/.well-known/jwks.json") => Ok(ok(&json!({ "keys": [] }))),
            (&Method::POST, "/signup") => self.sign_up(&parts.headers, AuthRequest::of(body)?).await,
            (&Method::POST, "/token") => self.token(&parts.headers, query, AuthRequest::of(body)?).await,
            (&Method::GET, "/user") => Ok(ok(&self.who(&parts.headers).await?.0)),
            (&Method::PUT, "/user") => self.update(&parts.headers, AuthRequest::of(body)?).await,
            (&Method::POST, "/logout") => self.log_out(&parts.headers, query).await,
            _ => Err(AuthError::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "No such endpoint in the local stand-in",
            )),
        }
    }

    fn settings(&self) -> Value {
        json!({
            "external": { "anonymous_users": self.anonymous_sign_ins, "email": true, "phone": true },
            "disable_signup": false,
            "mailer_autoconfirm": true,
            "phone_autoconfirm": true,
            "sms_provider": "",
            "saml_enabled": false,
        })
    }

    async fn sign_up(&self, headers: &HeaderMap, asked: AuthRequest) -> Answer {
        let identity = asked.identity()?;
        let data = asked.data.unwrap_or_default();
        let mut connection = self.pool.get().await?;
        let user = match (identity, asked.password) {
            (None, _) if !self.anonymous_sign_ins => {
                return Err(AuthError::unprocessable(
                    "anonymous_provider_disabled",
                    "Anonymous sign-ins are disabled",
                ));
            }
            (None, _) => users::create(&mut connection, None, None, data).await?,
            (Some(identity), Some(password)) if !password.is_empty() => {
                users::check_password(&password)?;
                if users::find(&connection, &identity).await?.is_some() {
                    return Err(AuthError::unprocessable("user_already_exists", "User already registered"));
                }
                let hash = users::hash(password).await?;
                users::create(&mut connection, Some(identity), Some(hash), data).await?
            }
            (Some(_), _) => {
                return Err(AuthError::bad_request("validation_failed", "Signup requires a valid password"));
            }
        };
        let grant = sessions::start(&mut connection, user.id, user_agent(headers)).await?;
        self.granted(&user, &grant)
    }

    async fn token(&self, headers: &HeaderMap, query: &str, asked: AuthRequest) -> Answer {
        match query_value(query, "grant_type") {
            Some("password") => self.sign_in(headers, asked).await,
            Some("refresh_token") => self.refresh(asked).await,
            _ => Err(AuthError::bad_request("invalid_credentials", "unsupported_grant_type")),
        }
    }

    async fn sign_in(&self, headers: &HeaderMap, asked: AuthRequest) -> Answer {
        let refused = || AuthError::bad_request("invalid_credentials", "Invalid login credentials");
        let identity = asked
            .identity()?
            .ok_or_else(|| AuthError::bad_request("validation_failed", "missing email or phone"))?;
        let mut connection = self.pool.get().await?;
        let known = users::find(&connection, &identity).await?;
        // Verify a dummy hash for unknown accounts, so that response time does not reveal whether one exists.
        let (id, hash) = known.map_or((None, None), |(id, hash)| (Some(id), hash));
        let matches = users::verify(asked.password.unwrap_or_default(), hash).await?;
        let id = id.filter(|_| matches).ok_or_else(refused)?;
        if users::is_banned(&connection, id).await? {
            return Err(AuthError::bad_request("user_banned", "User is banned"));
        }
        let grant = sessions::start(&mut connection, id, user_agent(headers)).await?;
        let user = users::get(&**connection, id).await?.ok_or_else(refused)?;
        self.granted(&user, &grant)
    }

    async fn refresh(&self, asked: AuthRequest) -> Answer {
        let token = asked
            .refresh_token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| AuthError::bad_request("validation_failed", "refresh_token required"))?;
        let mut connection = self.pool.get().await?;
        let (user_id, grant) = sessions::refresh(&mut connection, &token).await?;
        if users::is_banned(&connection, user_id).await? {
            return Err(AuthError::bad_request("user_banned", "Invalid Refresh Token: User Banned"));
        }
        let user = users::get(&**connection, user_id).await?.ok_or_else(AuthError::token_not_found)?;
        self.granted(&user, &grant)
    }

    async fn update(&self, headers: &HeaderMap, asked: AuthRequest) -> Answer {
        let (user, session) = self.who(headers).await?;
        let identity = asked.identity()?;
        let mut connection = self.pool.get().await?;
        let hash = match asked.password.filter(|password| !password.is_empty()) {
            None => None,
            Some(password) => {
                users::check_password(&password)?;
                let old = users::password_hash(&connection, user.id).await?;
                if users::verify(password.clone(), old).await? {
                    return Err(AuthError::unprocessable(
                        "same_password",
                        "New password should be different from the old password.",
                    ));
                }
                Some(users::hash(password).await?)
            }
        };
        let changes = users::Changes { identity, hash, data: asked.data };
        let user = users::update(&mut connection, user.id, session, changes).await?;
        Ok(ok(&user))
    }

    async fn log_out(&self, headers: &HeaderMap, query: &str) -> Answer {
        let scope = query_value(query, "scope").unwrap_or("global").parse()?;
        let (user, session) = self.who(headers).await?;
        let connection = self.pool.get().await?;
        sessions::end(&connection, user.id, session, scope).await?;
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// The person and the session that a request's token speaks for.
    async fn who(&self, headers: &HeaderMap) -> Result<(User, Uuid), AuthError> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(bearer)
            .ok_or_else(AuthError::no_authorization)?;
        let caller = self.verifier.verify(token).map_err(|error| {
            AuthError::forbidden(
                "bad_jwt",
                &format!("invalid JWT: unable to parse or verify signature, {error}"),
            )
        })?;
        let claim = |name: &str| caller.claims.get(name)?.as_str()?.parse::<Uuid>().ok();
        let id = person(&caller, claim("sub"))?;
        let session = claim("session_id").ok_or_else(AuthError::session_not_found)?;
        let connection = self.pool.get().await?;
        let user = users::get(&**connection, id).await?.ok_or_else(|| {
            AuthError::forbidden("user_not_found", "User from sub claim in JWT does not exist")
        })?;
        if !sessions::exists(&connection, id, session).await? {
            return Err(AuthError::session_not_found());
        }
        Ok((user, session))
    }

    fn granted(&self, user: &User, grant: &Grant) -> Answer {
        let audience = &self.verifier.settings().audience;
        let token = grant.access_token(user, &self.issuer, audience, &self.signing_key)?;
        Ok(ok(&token))
    }
}

fn person(caller: &Caller, subject: Option<Uuid>) -> Result<Uuid, AuthError> {
    subject
        .filter(|_| caller.role == Role::Authenticated)
        .ok_or_else(|| AuthError::forbidden("bad_jwt", "invalid claim: missing sub claim"))
}

fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}

/// The values that this API knows need no decoding.
fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn ok(body: &impl serde::Serialize) -> http::Response<Bytes> {
    error::json(StatusCode::OK, body)
}
