//! What is known of a function, whatever its component: its name, its settings, its counters.

use std::sync::Arc;

use crate::metrics::FunctionMetrics;
use crate::settings;

/// A function as its instances see it.
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    pub(super) settings: settings::Function,
    pub(super) metrics: FunctionMetrics,
}
