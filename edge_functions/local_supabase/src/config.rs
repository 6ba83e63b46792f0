//! What `supabase/config.toml` says of the services that are stood in for.

use std::path::Path;

use serde::Deserialize;

/// The parts of config.toml that the stand-ins follow. The rest belongs to the Supabase CLI and to the host.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// `[api]`
    pub(crate) api: Api,
    /// `[auth]`
    pub(crate) auth: Auth,
}

/// `[api]` of config.toml.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Api {
    /// The most rows of one answer of REST.
    pub(crate) max_rows: Option<i64>,
}

/// `[auth]` of config.toml.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Auth {
    /// Whether somebody may sign up without an address.
    pub(crate) enable_anonymous_sign_ins: bool,
}

/// Why config.toml can't be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("can't read {0}")]
    Unreadable(String, #[source] std::io::Error),
    /// It is no TOML, or a value is not of its type.
    #[error("{0}: {1}")]
    Illegal(String, toml::de::Error),
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(name(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Illegal(name(), error))
    }
}
