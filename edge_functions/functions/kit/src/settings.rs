//! Settings and secrets, from the environment as the host gives it to this function.

use std::fmt;

/// A setting that must be there and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(
    /// Its name.
    pub &'static str,
);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting {} is missing", self.0)
    }
}

impl std::error::Error for Missing {}

/// A setting; an empty one is none.
#[must_use]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting without which the function can't work.
///
/// # Errors
///
/// [`Missing`].
pub fn required(name: &'static str) -> Result<String, Missing> {
    optional(name).ok_or(Missing(name))
}
