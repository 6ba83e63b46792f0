//! What these tests and those of the local stand-ins share: tokens of the local project, and a database of their own with URLs for its roles.

use std::{future::Future, sync::Arc, time::Duration};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};
use welltrack_api::jwt::{AUDIENCE, Caller, JwtSettings, Role, Verifier};
use welltrack_tests::TestDb;

pub(crate) const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
pub(crate) const FAR_FUTURE: i64 = 4_102_444_800;

pub(crate) fn jwt_settings() -> JwtSettings {
    JwtSettings { hs256_secret: SECRET.into(), jwks: None, audience: AUDIENCE.into() }
}

/// Who verifies the tokens of these tests.
pub(crate) fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::new(jwt_settings()).expect("the secret is long enough"))
}

const LIMIT: Duration = Duration::from_secs(120);

/// A token with these claims, signed with the project's secret.
pub(crate) fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
        .expect("claims can be signed")
}

pub(crate) fn token_of(role: Role) -> String {
    token(&json!({ "role": role.name(), "exp": FAR_FUTURE, "sub": "a0000000-0000-4000-8000-000000000001" }))
}

pub(crate) fn caller(role: Role) -> Caller {
    verifier().verify(&token_of(role)).expect("the token is good")
}

/// A test's database. Made outside of the runtime, because its own driver blocks.
pub(crate) struct Database {
    db: TestDb,
}

impl Database {
    /// The URL of a role. All local roles have one well-known password.
    pub(crate) fn url(&self, role: &str) -> String {
        let config = self.db.config_as(role);
        let host = match &config.get_hosts()[0] {
            postgres::config::Host::Tcp(host) => host.clone(),
            postgres::config::Host::Unix(path) => panic!("a socket, {}, has no URL", path.display()),
        };
        let name = config.get_dbname().expect("the database has a name");
        format!("postgresql://{role}:postgres@{host}:{}/{name}", config.get_ports()[0])
    }

    /// A superuser's connection, for setting the stage and for looking at what happened.
    pub(crate) async fn admin(&self) -> Client {
        let (client, driver) =
            tokio_postgres::connect(&self.url("supabase_admin"), NoTls).await.expect("it answers");
        tokio::spawn(driver);
        client
    }
}

/// Runs a test over a database of its own.
pub(crate) fn with_database<F: Future<Output = ()>>(test: impl FnOnce(Arc<Database>) -> F) {
    let database = Arc::new(Database { db: TestDb::new() });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    // Whoever waits for something that never comes shall fail, not hang.
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, test(database.clone())).await.expect("a test ends");
    });
    // Connections end with the runtime; the database is dropped after them.
    drop(runtime);
    drop(database);
}
