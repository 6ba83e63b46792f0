//! What comes from the environment: Supabase's own names, and the secrets that functions may be given.
//!
//! Promises: a value of the process's environment goes before one of the env file; nothing that is secret shows itself in
//! `Debug`. Stops at text: whether a URL answers is seen when it is used.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use welltrack_gateway::Secret;

/// The environment of the host.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// SUPABASE_URL, without a slash at the end.
    pub(crate) url: String,
    /// SUPABASE_ANON_KEY.
    pub(crate) anon_key: Secret,
    /// SUPABASE_SERVICE_ROLE_KEY.
    pub(crate) service_key: Secret,
    /// SUPABASE_DB_URL.
    pub(crate) database: Secret,
    /// SUPABASE_JWT_SECRET.
    pub(crate) jwt_secret: Secret,
    /// SUPABASE_JWKS: the key set itself, as JSON.
    pub(crate) jwks: Option<String>,
    others: BTreeMap<String, Secret>,
}

/// What `supabase start` uses on everybody's machine, so it protects nothing: only a host in local mode takes it.
/// <https://supabase.com/docs/guides/self-hosting/docker>
mod well_known {
    pub(super) const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
    pub(super) const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
    pub(super) const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";
    pub(super) const DB_URL: &str = "postgresql://authenticator:postgres@127.0.0.1:54322/postgres";
}

impl Environment {
    /// Reads the process's environment and, behind it, `file`. For a local host, which is at the address `local`, what is missing
    /// is what the Supabase CLI uses.
    ///
    /// # Errors
    ///
    /// Where the file can't be read, or a variable is missing or not of its form.
    pub(crate) fn read(file: Option<&Path>, local: Option<SocketAddr>) -> Result<Self> {
        let mut variables = BTreeMap::new();
        if let Some(file) = file {
            let lines =
                dotenvy::from_path_iter(file).with_context(|| format!("can't read {}", file.display()))?;
            for line in lines {
                // The text of the error would show the line, and so perhaps a secret.
                let (name, value) = line
                    .map_err(|_| anyhow::anyhow!("{} is not a list of NAME=value lines", file.display()))?;
                variables.insert(name, value);
            }
        }
        variables.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Self::from_variables(variables, local)
    }

    fn from_variables(mut variables: BTreeMap<String, String>, local: Option<SocketAddr>) -> Result<Self> {
        variables.retain(|_, value| !value.is_empty());
        let mut take = |name: &str, well_known: &str| match variables.remove(name) {
            Some(value) => Ok(value),
            None if local.is_some() => Ok(well_known.to_owned()),
            None => bail!("{name} is not set (in the environment, or the file of --env-file)"),
        };
        let here = local.map(|address| format!("http://{address}")).unwrap_or_default();
        let url = take("SUPABASE_URL", &here)?.trim_end_matches('/').to_owned();
        let parsed: http::Uri = url.parse().context("SUPABASE_URL is no URL")?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.path() != "/" {
            bail!("SUPABASE_URL must be http(s)://host[:port], without a path");
        }
        Ok(Self {
            anon_key: take("SUPABASE_ANON_KEY", well_known::ANON_KEY)?.into(),
            service_key: take("SUPABASE_SERVICE_ROLE_KEY", well_known::SERVICE_KEY)?.into(),
            database: take("SUPABASE_DB_URL", well_known::DB_URL)?.into(),
            jwt_secret: take("SUPABASE_JWT_SECRET", well_known::JWT_SECRET)?.into(),
            url,
            jwks: variables.remove("SUPABASE_JWKS"),
            others: variables.into_iter().map(|(name, value)| (name, value.into())).collect(),
        })
    }

    /// SUPABASE_AUTH_DB_URL, or else SUPABASE_DB_URL with the user that owns the schema `auth`.
    pub(crate) fn auth_database(&self) -> Secret {
        if let Some(url) = self.secret("SUPABASE_AUTH_DB_URL") {
            return url.clone();
        }
        let url = self.database.expose();
        let user =
            url.find("://").map(|scheme| scheme + 3).zip(url.rfind('@')).filter(|(from, to)| from < to);
        let Some((from, to)) = user else { return self.database.clone() };
        let password = url[from..to].find(':').map(|colon| &url[from + colon..to]).unwrap_or_default();
        format!("{}supabase_auth_admin{password}{}", &url[..from], &url[to..]).into()
    }

    /// A variable that is none of Supabase's.
    #[must_use]
    pub(crate) fn secret(&self, name: &str) -> Option<&Secret> {
        self.others.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], local: bool) -> Result<Environment> {
        let local = local.then(|| "127.0.0.1:54321".parse().unwrap());
        Environment::from_variables(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            local,
        )
    }

    #[test]
    fn only_local_mode_fills_in_what_everybody_knows() {
        assert!(read(&[], true).is_ok());
        let error = read(&[("SUPABASE_URL", "https://x.example")], false).unwrap_err();
        assert!(error.to_string().contains("SUPABASE_ANON_KEY is not set"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let environment =
            read(&[("SUPABASE_DB_URL", "postgres://planted"), ("A_TOKEN", "planted")], true).unwrap();
        assert!(!format!("{environment:?}").contains("planted"));
        assert_eq!(environment.secret("A_TOKEN").unwrap().expose(), "planted");
    }

    #[test]
    fn the_auth_database_is_the_same_one_with_another_user() {
        for (given, derived) in [
            ("postgresql://authenticator:p@h:1/d", "postgresql://supabase_auth_admin:p@h:1/d"),
            ("postgresql://authenticator@h/d?x=y", "postgresql://supabase_auth_admin@h/d?x=y"),
            ("host=h user=u", "host=h user=u"),
        ] {
            let environment = read(&[("SUPABASE_DB_URL", given)], true).unwrap();
            assert_eq!(environment.auth_database().expose(), derived);
        }
    }

    #[test]
    fn the_url_is_an_origin() {
        assert_eq!(read(&[("SUPABASE_URL", "http://a.example/")], true).unwrap().url, "http://a.example");
        assert!(read(&[("SUPABASE_URL", "http://a.example/b")], true).is_err());
        assert!(read(&[("SUPABASE_URL", "ftp://a.example")], true).is_err());
    }
}
