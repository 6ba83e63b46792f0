//! The rules, asked from outside as every user of the crate asks them. A property test that fails names its input.

mod dedupe;
mod exact;
mod forecast;
mod garmin;
mod garmin_hostile;
mod narrative;
mod native;
mod native_hostile;
mod nist;
mod recovery;
mod regression;
mod signup;
mod timezone;
mod training;
mod units;
mod validate;
