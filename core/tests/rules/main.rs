//! The rules, asked from outside as every user of the crate asks them. Property tests print their seed on failure.

mod dedupe;
mod native;
mod native_hostile;
mod signup;
mod timezone;
mod units;
mod validate;
