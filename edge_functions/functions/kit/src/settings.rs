//! Settings and secrets, from the environment as the host gives it to this function.

/// A setting that must be there and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the setting {0} is missing")]
pub struct Missing(
    /// Its name.
    pub &'static str,
);

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
