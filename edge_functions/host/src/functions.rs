//! The functions that are served: loaded from a folder, and loaded again when a file changes.
//!
//! A component that is replaced serves the next call. One that can't be loaded changes nothing but the log.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use notify::Watcher;
use tokio::sync::mpsc;

use crate::error::{Chain, LoadError, SettingsError, StartError};
use crate::metrics::Metrics;
use crate::runtime::{Common, Function, REASONS, Runtime};
use crate::settings::{self, Environment, Settings};

/// How long a folder must be still before a changed file is read: whoever copies a file writes it in pieces.
const SETTLED: Duration = Duration::from_millis(100);

/// The names of the components in a folder (`<name>.wasm`), in order.
///
/// # Errors
///
/// When the folder can't be read.
pub(crate) fn components_in(folder: &Path) -> Result<Vec<String>, SettingsError> {
    let unreadable = |error| SettingsError::unreadable(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Version {
    fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self { inode: found.ino(), size: found.size(), changed: (found.mtime(), found.mtime_nsec()) })
    }
}

/// All functions.
pub(crate) struct Functions {
    folder: PathBuf,
    runtime: Arc<Runtime>,
    by_name: BTreeMap<String, Arc<Function>>,
    versions: BTreeMap<String, Option<Version>>,
}

impl Functions {
    /// Loads every function that `settings` enable from `folder`.
    ///
    /// # Errors
    ///
    /// When a component can't be loaded.
    pub(crate) fn load(
        folder: &Path,
        runtime: Arc<Runtime>,
        settings: &Settings,
        environment: &Environment,
        metrics: &Metrics,
        common: &Common,
    ) -> Result<Self, StartError> {
        let versions = settings
            .enabled()
            .map(|(name, _)| (name.to_owned(), Version::of(&file_of(folder, name))))
            .collect();
        // Compiling takes seconds where the cache is cold, reading the cache some milliseconds: all at once.
        let components = thread::scope(|scope| {
            let loading: Vec<_> = settings
                .enabled()
                .map(|(name, function)| {
                    (name, function, scope.spawn(|| runtime.load(&file_of(folder, name))))
                })
                .collect();
            loading
                .into_iter()
                .map(|(name, function, loading)| (name, function, loading.join()))
                .collect::<Vec<_>>()
        });
        let mut by_name = BTreeMap::new();
        for (name, function, component) in components {
            let component = component
                .unwrap_or(Err(LoadError::Panicked))
                .map_err(|error| StartError::Component(file_of(folder, name).display().to_string(), error))?;
            let function = Function::new(
                name,
                function.clone(),
                variables(name, &function.limits, environment),
                component,
                metrics.of(name, &REASONS),
                common.clone(),
            );
            by_name.insert(name.to_owned(), Arc::new(function));
        }
        Ok(Self { folder: folder.to_owned(), runtime, by_name, versions })
    }

    /// The function of that name.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.by_name.get(name)
    }

    /// All of them, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.by_name.values()
    }

    /// Looks after the folder for as long as the future is polled.
    ///
    /// # Errors
    ///
    /// When the folder can't be watched.
    pub(crate) async fn watch(&self) -> Result<(), notify::Error> {
        let (changed, mut changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // One word of a change waits already, if this doesn't go through.
                let _ = changed.try_send(());
            }
        })?;
        watcher.watch(&self.folder, notify::RecursiveMode::NonRecursive)?;
        let mut versions = self.versions.clone();
        // The first look needs no change to be told: one may have come after the components were read, before this watch.
        loop {
            while tokio::time::timeout(SETTLED, changes.recv()).await.is_ok() {}
            for (name, function) in &self.by_name {
                let file = file_of(&self.folder, name);
                let now = Version::of(&file);
                // A file that is gone is on its way to being replaced, or a slip: the old one serves on.
                if now.is_some() && versions.insert(name.clone(), now) != Some(now) {
                    self.reload(function, file).await;
                }
            }
            if changes.recv().await.is_none() {
                return Ok(());
            }
        }
    }

    async fn reload(&self, function: &Function, file: PathBuf) {
        let runtime = Arc::clone(&self.runtime);
        let loaded = tokio::task::spawn_blocking(move || runtime.load(&file)).await;
        match loaded.unwrap_or(Err(LoadError::Panicked)) {
            Ok(component) => {
                function.replace(component);
                tracing::info!(function = function.name(), "reloaded");
            }
            Err(error) => tracing::error!(
                function = function.name(),
                error = %Chain(&error),
                "the new component can't be loaded; the old one serves on"
            ),
        }
    }
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

/// The variables that a function sees: Supabase's own, and the secrets that its settings name.
fn variables(name: &str, limits: &settings::Limits, of: &Environment) -> Vec<(String, String)> {
    let mut variables = vec![
        ("SUPABASE_URL".to_owned(), of.url.clone()),
        ("SUPABASE_ANON_KEY".to_owned(), of.anon_key.expose().to_owned()),
    ];
    if limits.service_key {
        variables.push(("SUPABASE_SERVICE_ROLE_KEY".to_owned(), of.service_key.expose().to_owned()));
    }
    for secret in &limits.secrets {
        match of.secret(&secret.0) {
            Some(value) => variables.push((secret.0.clone(), value.expose().to_owned())),
            // A function may do with less: whether a secret can be missing is its own to say.
            None => tracing::warn!(function = name, secret = secret.0, "a secret is not set"),
        }
    }
    variables
}
