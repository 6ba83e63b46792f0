//! `/rest/v1` and `/auth/v1` of the local stack on one port, without the functions' host: for trying a client out.
//!
//! `cargo run -p welltrack_gateway --example local_gateway -- postgresql://authenticator:postgres@127.0.0.1:54322/postgres 54399`
//! (port 0 takes a free one). Prints the URL when it serves.

use welltrack_gateway::{
    auth::{Auth, AuthSettings},
    jwt::{AUDIENCE, JwtSettings},
    rest::{Rest, RestSettings},
};

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(db_url), Some(port)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: local_gateway AUTHENTICATOR_URL PORT");
    };
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let origin = format!("http://{}", listener.local_addr()?);

    let jwt = JwtSettings { hs256_secret: SECRET.into(), jwks: None, audience: AUDIENCE.into() };
    let rest = Rest::start(RestSettings {
        db_url: db_url.as_str().into(),
        jwt: jwt.clone(),
        max_rows: Some(1000),
        pool_size: 8,
    })
    .await?;
    let auth = Auth::new(AuthSettings {
        local: true,
        db_url: db_url.replace("//authenticator:", "//supabase_auth_admin:").into(),
        jwt,
        issuer: format!("{origin}/auth/v1"),
        anonymous_sign_ins: true,
    })?;
    println!("{origin}");
    axum::serve(listener, rest.router().merge(auth.router())).await?;
    Ok(())
}
