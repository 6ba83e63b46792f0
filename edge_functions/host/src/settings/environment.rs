//! What comes from the environment: Supabase's own names, and the secrets that functions may be given.
//!
//! A value of the process's environment goes before one of the env file. Nothing that is secret shows itself in `Debug`. Whether
//! a URL answers is seen when it is used.

use std::collections::BTreeMap;
use std::path::Path;

use welltrack_api::Secret;

use crate::error::SettingsError;

/// The environment of the host.
#[derive(Clone, Debug)]
pub struct Environment {
    /// SUPABASE_URL, without a slash at the end.
    pub url: String,
    /// SUPABASE_ANON_KEY.
    pub anon_key: Secret,
    /// SUPABASE_SERVICE_ROLE_KEY.
    pub service_key: Secret,
    /// SUPABASE_DB_URL.
    pub database: Secret,
    /// SUPABASE_JWT_SECRET.
    pub jwt_secret: Secret,
    /// SUPABASE_JWKS: the key set itself, as JSON.
    pub jwks: Option<String>,
    others: BTreeMap<String, Secret>,
}

impl Environment {
    /// Reads the process's environment, behind it `file`, and behind that `defaults`.
    ///
    /// # Errors
    ///
    /// Where the file can't be read, or a variable is missing or not of its form.
    pub(crate) fn read(file: Option<&Path>, defaults: &[(&str, String)]) -> Result<Self, SettingsError> {
        Self::from_variables(variables(file)?, defaults)
    }

    fn from_variables(
        mut variables: BTreeMap<String, String>,
        defaults: &[(&str, String)],
    ) -> Result<Self, SettingsError> {
        variables.retain(|_, value| !value.is_empty());
        for (name, value) in defaults {
            variables.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
        let mut take = |name: &'static str| variables.remove(name).ok_or(SettingsError::Missing(name));
        let url = take("SUPABASE_URL")?.trim_end_matches('/').to_owned();
        let parsed: http::Uri = url.parse().map_err(|_| SettingsError::Url)?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.path() != "/" {
            return Err(SettingsError::Url);
        }
        Ok(Self {
            anon_key: take("SUPABASE_ANON_KEY")?.into(),
            service_key: take("SUPABASE_SERVICE_ROLE_KEY")?.into(),
            database: take("SUPABASE_DB_URL")?.into(),
            jwt_secret: take("SUPABASE_JWT_SECRET")?.into(),
            url,
            jwks: variables.remove("SUPABASE_JWKS"),
            others: variables.into_iter().map(|(name, value)| (name, value.into())).collect(),
        })
    }

    /// A variable that is none of Supabase's.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.others.get(name)
    }
}

/// All variables of the process's environment and, behind them, of `file`.
///
/// # Errors
///
/// Where the file can't be read or is no list of NAME=value lines.
pub(crate) fn variables(file: Option<&Path>) -> Result<BTreeMap<String, String>, SettingsError> {
    let mut variables = BTreeMap::new();
    if let Some(file) = file {
        let lines = dotenvy::from_path_iter(file).map_err(|error| SettingsError::unreadable(file, error))?;
        for line in lines {
            // The text of the error would show the line, and so perhaps a secret.
            let (name, value) = line.map_err(|_| SettingsError::EnvFile(file.display().to_string()))?;
            variables.insert(name, value);
        }
    }
    variables.extend(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 5] = [
        "SUPABASE_URL",
        "SUPABASE_ANON_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "SUPABASE_DB_URL",
        "SUPABASE_JWT_SECRET",
    ];

    /// Reads `pairs`, with `http://x.example` in place of everything else that must be set.
    fn read(pairs: &[(&str, &str)]) -> Result<Environment, SettingsError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::from_variables(pairs.collect(), &ALL.map(|name| (name, "http://x.example".to_owned())))
    }

    #[test]
    fn a_default_fills_in_what_is_missing_or_empty_and_nothing_else() {
        let environment = read(&[("SUPABASE_URL", "http://a.example"), ("SUPABASE_ANON_KEY", "")]).unwrap();
        assert_eq!(
            (environment.url.as_str(), environment.anon_key.expose()),
            ("http://a.example", "http://x.example")
        );
        let alone = [("SUPABASE_URL".to_owned(), "https://x.example".to_owned())];
        let error = Environment::from_variables(alone.into(), &[]).unwrap_err();
        assert!(error.to_string().contains("SUPABASE_ANON_KEY is not set"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let environment = read(&[("SUPABASE_DB_URL", "postgres://planted"), ("A_TOKEN", "planted")]).unwrap();
        assert!(!format!("{environment:?}").contains("planted"));
        assert_eq!(environment.secret("A_TOKEN").unwrap().expose(), "planted");
    }

    #[test]
    fn the_url_is_an_origin() {
        assert_eq!(read(&[("SUPABASE_URL", "http://a.example/")]).unwrap().url, "http://a.example");
        assert!(read(&[("SUPABASE_URL", "http://a.example/b")]).is_err());
        assert!(read(&[("SUPABASE_URL", "ftp://a.example")]).is_err());
    }
}
