//! The rules, asked from outside as every user of the crate asks them. A property test that fails names its input.

mod dedupe;
mod garmin;
mod garmin_hostile;
mod native;
mod native_hostile;
mod signup;
mod timezone;
mod units;
mod validate;
