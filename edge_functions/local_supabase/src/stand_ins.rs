//! What `welltrack-local` puts beside the functions, and what it takes for granted where nothing is set.

use std::net::SocketAddr;
use std::sync::Arc;

use welltrack_api::Secret;
use welltrack_edge::{Environment, HostRule, Project, StandIns, Starting};

use crate::auth::{Auth, AuthSettings};
use crate::config::Config;
use crate::rest::{LOG_DIRECTIVES, Rest, RestSettings};

/// What `supabase start` uses on everybody's machine, so it protects nothing.
/// <https://supabase.com/docs/guides/self-hosting/docker>
mod well_known {
    pub(super) const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
    pub(super) const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
    pub(super) const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";
    pub(super) const DB_URL: &str = "postgresql://authenticator:postgres@127.0.0.1:54322/postgres";
}

/// `/rest/v1` and `/auth/v1` of a developer's machine.
pub struct LocalSupabase {
    /// Hosts that every function may call, even at an address of this machine.
    pub allowed_hosts: Vec<HostRule>,
}

impl StandIns for LocalSupabase {
    fn defaults(&self, address: SocketAddr) -> Vec<(&'static str, String)> {
        vec![
            ("SUPABASE_URL", format!("http://{address}")),
            ("SUPABASE_ANON_KEY", well_known::ANON_KEY.to_owned()),
            ("SUPABASE_SERVICE_ROLE_KEY", well_known::SERVICE_KEY.to_owned()),
            ("SUPABASE_DB_URL", well_known::DB_URL.to_owned()),
            ("SUPABASE_JWT_SECRET", well_known::JWT_SECRET.to_owned()),
        ]
    }

    fn allowed_hosts(&self) -> &[HostRule] {
        &self.allowed_hosts
    }

    fn log_directives(&self) -> &[&'static str] {
        &LOG_DIRECTIVES
    }

    fn start<'a>(&'a self, project: Project<'a>) -> Starting<'a> {
        Box::pin(async move {
            let config = Config::read(project.config)?;
            let environment = project.environment;
            let auth = Auth::new(AuthSettings {
                db_url: auth_database(environment),
                verifier: Arc::clone(project.verifier),
                issuer: format!("{}/auth/v1", environment.url),
                anonymous_sign_ins: config.auth.enable_anonymous_sign_ins,
            })?;
            let rest = Rest::start(RestSettings {
                db_url: environment.database.clone(),
                verifier: Arc::clone(project.verifier),
                max_rows: config.api.max_rows,
                pool_size: project.database_connections,
            })
            .await?;
            Ok(rest.router().merge(auth.router()))
        })
    }
}

/// SUPABASE_AUTH_DB_URL, or else SUPABASE_DB_URL with the user that owns the schema `auth`.
fn auth_database(environment: &Environment) -> Secret {
    environment
        .secret("SUPABASE_AUTH_DB_URL")
        .cloned()
        .unwrap_or_else(|| as_auth_admin(environment.database.expose()).into())
}

/// The same database URL with another user.
fn as_auth_admin(url: &str) -> String {
    let user = url.find("://").map(|scheme| scheme + 3).zip(url.rfind('@')).filter(|(from, to)| from < to);
    let Some((from, to)) = user else { return url.to_owned() };
    let password = url[from..to].find(':').map(|colon| &url[from + colon..to]).unwrap_or_default();
    format!("{}supabase_auth_admin{password}{}", &url[..from], &url[to..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auth_database_is_the_same_one_with_another_user() {
        for (given, derived) in [
            ("postgresql://authenticator:p@h:1/d", "postgresql://supabase_auth_admin:p@h:1/d"),
            ("postgresql://authenticator@h/d?x=y", "postgresql://supabase_auth_admin@h/d?x=y"),
            ("host=h user=u", "host=h user=u"),
        ] {
            assert_eq!(as_auth_admin(given), derived);
        }
    }
}
