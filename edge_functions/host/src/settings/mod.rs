//! The settings of the host and of each function, read once at the start.
//!
//! `supabase/config.toml` says which functions there are and which want a token, in Supabase's own words; `functions.toml` beside
//! it says what Supabase has no word for. A key that is unknown or a value that is not legal stops the start with file, line and
//! what is legal.

mod environment;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use welltrack_core::limits::{DEFAULT_BODY_MIB, LARGEST_BODY_MIB};

use crate::error::SettingsError;

pub use environment::Environment;
pub(crate) use environment::variables;
pub use values::{HostRule, ValueError};
pub(crate) use values::{Schedule, SecretName, SqlName, Within, plain_host};

/// What the start needs to know of the two files.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Limits of the host as a whole.
    pub(crate) host: Host,
    functions: BTreeMap<String, Function>,
}

/// `[host]` of functions.toml: limits that all functions share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Host {
    /// Instances that may be alive at once, of all functions together.
    pub(crate) max_instances: Within<1, 10_000>,
    /// Connections that may be open at once; more are closed as they come.
    pub(crate) max_connections: Within<1, 1_000_000>,
    /// Seconds that a client may take to send the head of a request, and to stay silent between two requests.
    pub(crate) header_s: Within<1, 300>,
    /// Connections to Postgres for the short way of `rpc`.
    pub(crate) database_connections: Within<1, 200>,
    /// SQL functions whose calls by functions may share a transaction with others that come at the same time.
    pub(crate) shared_commits: Vec<SqlName>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            max_instances: Within(1_000),
            max_connections: Within(20_000),
            header_s: Within(30),
            database_connections: Within(8),
            shared_commits: Vec::new(),
        }
    }
}

/// Everything that is set for one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    /// From config.toml: whether it is served at all, and whether the host asks for a valid token first.
    pub(crate) gate: Gate,
    /// From functions.toml.
    pub(crate) limits: Limits,
}

/// `[functions.<name>]` of config.toml. The keys that only the Supabase CLI needs are known, and not used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gate {
    /// Whether the function is served.
    pub(crate) enabled: bool,
    /// Whether the host refuses requests without a valid token.
    pub(crate) verify_jwt: bool,
    // Known, so that they are not refused; the CLI alone reads them.
    entrypoint: Option<toml::Value>,
    env: Option<toml::Value>,
    import_map: Option<toml::Value>,
    static_files: Option<toml::Value>,
}

impl Default for Gate {
    fn default() -> Self {
        let unused = None;
        Self {
            enabled: true,
            verify_jwt: true,
            entrypoint: unused.clone(),
            env: unused.clone(),
            import_map: unused.clone(),
            static_files: unused,
        }
    }
}

/// `[functions.<name>]` of functions.toml: what a function may use, and what calls it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Processor time of one request, in milliseconds.
    pub(crate) cpu_ms: Within<1, 600_000>,
    /// Memory of one instance, in MiB.
    pub(crate) memory_mb: Within<1, 4_095>,
    /// Seconds until the head of the answer.
    pub(crate) first_byte_s: Within<1, 3_600>,
    /// Seconds that a body may stand still, in either direction.
    pub(crate) idle_s: Within<1, 3_600>,
    /// Seconds for all of it, the body of the answer and work after it included.
    pub(crate) total_s: Within<1, 86_400>,
    /// Size of the body of a request, in MiB (2^20 bytes).
    pub(crate) body_mb: Within<1, LARGEST_BODY_MIB>,
    /// Requests at once.
    pub(crate) concurrency: Within<1, 10_000>,
    /// Milliseconds that a request waits for its turn before it is told to come again.
    pub(crate) queue_wait_ms: Within<0, 60_000>,
    /// Hosts it may call, besides its own origin.
    pub(crate) allowed_hosts: Vec<HostRule>,
    /// Whether it sees SUPABASE_SERVICE_ROLE_KEY.
    pub(crate) service_key: bool,
    /// Environment variables it sees, besides SUPABASE_URL and SUPABASE_ANON_KEY.
    pub(crate) secrets: Vec<SecretName>,
    /// Calls it at these times (cron, UTC); one host of several.
    pub(crate) schedule: Option<Schedule>,
    /// Calls it on every NOTIFY on this channel.
    pub(crate) listen: Option<SqlName>,
    /// With `listen`: also calls it when that many seconds brought no notification.
    pub(crate) poll_s: Within<1, 86_400>,
    /// Runs by triggers at once, in this host.
    pub(crate) max_parallel_runs: Within<1, 64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: Within(2_000),
            memory_mb: Within(128),
            first_byte_s: Within(30),
            idle_s: Within(30),
            total_s: Within(150),
            body_mb: Within(DEFAULT_BODY_MIB),
            concurrency: Within(64),
            queue_wait_ms: Within(2_000),
            allowed_hosts: Vec::new(),
            service_key: false,
            secrets: Vec::new(),
            schedule: None,
            listen: None,
            poll_s: Within(30),
            max_parallel_runs: Within(1),
        }
    }
}

impl Limits {
    /// `cpu_ms`.
    #[must_use]
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_millis(self.cpu_ms.0)
    }
    /// `memory_mb`, in bytes.
    #[must_use]
    pub(crate) fn memory(&self) -> usize {
        usize::try_from(self.memory_mb.0 << 20).unwrap_or(usize::MAX)
    }
    /// `first_byte_s`.
    #[must_use]
    pub(crate) fn first_byte(&self) -> Duration {
        Duration::from_secs(self.first_byte_s.0)
    }
    /// `idle_s`.
    #[must_use]
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.0)
    }
    /// `total_s`.
    #[must_use]
    pub(crate) fn total(&self) -> Duration {
        Duration::from_secs(self.total_s.0)
    }
    /// `body_mb`, in bytes.
    #[must_use]
    pub(crate) fn body(&self) -> u64 {
        self.body_mb.0 << 20
    }
    /// `queue_wait_ms`.
    #[must_use]
    pub(crate) fn queue_wait(&self) -> Duration {
        Duration::from_millis(self.queue_wait_ms.0)
    }
}

/// config.toml belongs to the Supabase CLI: only its functions are ours to judge.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ConfigFile {
    functions: BTreeMap<toml::Spanned<String>, Gate>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FunctionsFile {
    host: Host,
    functions: BTreeMap<toml::Spanned<String>, Limits>,
}

impl Settings {
    /// Reads `config` and, if it is there, `functions.toml` beside it. `components` names the functions that exist: a
    /// setting for another one is taken for a slip of the pen.
    ///
    /// # Errors
    ///
    /// Where a file can't be read or holds what is not legal, with file, line and the legal values.
    pub(crate) fn read(config: &Path, components: &[String]) -> Result<Self, SettingsError> {
        let gates = Source::read(config)?;
        let limits_path = config.with_file_name("functions.toml");
        let limits =
            if limits_path.exists() { Source::read(&limits_path)? } else { Source::empty(limits_path) };
        let ConfigFile { functions: gate_sections } = gates.parse()?;
        let FunctionsFile { host, functions: limit_sections } = limits.parse()?;

        let mut functions: BTreeMap<String, Function> =
            components.iter().map(|name| (name.clone(), Function::default())).collect();
        for (name, gate) in gate_sections {
            // A function that is switched off needs no component.
            match functions.get_mut(name.get_ref()) {
                Some(function) => function.gate = gate,
                None if !gate.enabled => {}
                None => return Err(gates.unknown_function(&name, components)),
            }
        }
        for (name, section) in limit_sections {
            match functions.get_mut(name.get_ref()) {
                Some(function) => function.limits = section,
                None => return Err(limits.unknown_function(&name, components)),
            }
        }
        Ok(Self { host, functions })
    }

    /// The functions to serve, by name.
    pub(crate) fn enabled(&self) -> impl Iterator<Item = (&str, &Function)> {
        self.functions
            .iter()
            .filter(|(_, function)| function.gate.enabled)
            .map(|(name, f)| (name.as_str(), f))
    }
}

/// A file of settings, kept with its text so that an error can say the line.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError::unreadable(path, error))?;
        Ok(Self { path: path.to_owned(), text })
    }

    fn empty(path: PathBuf) -> Self {
        Self { path, text: String::new() }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, SettingsError> {
        toml::from_str(&self.text)
            .map_err(|error| self.illegal(error.span().unwrap_or_default(), error.message()))
    }

    fn unknown_function(&self, name: &toml::Spanned<String>, components: &[String]) -> SettingsError {
        let text = format!(
            "no component for the function `{}`; there are: {}",
            name.get_ref(),
            if components.is_empty() { "none".to_owned() } else { components.join(", ") }
        );
        self.illegal(name.span(), text)
    }

    /// `file:line: message`, and the line itself.
    fn illegal(&self, span: Range<usize>, message: impl fmt::Display) -> SettingsError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count();
        let shown = self.text.lines().nth(line).unwrap_or_default().trim();
        SettingsError::Illegal(format!("{}:{}: {message}\n    {shown}", self.path.display(), line + 1))
    }
}

#[cfg(test)]
mod tests;
