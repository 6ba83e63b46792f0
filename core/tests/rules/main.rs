//! The rules, asked from outside as every user of the crate asks them. A property test that fails names its input.

mod app_batch;
mod app_batch_hostile;
mod dedupe;
mod exact;
mod forecast;
mod garmin;
mod garmin_hostile;
mod narrative;
mod nist;
mod recovery;
mod regression;
mod signup;
mod timezone;
mod training;
mod units;
mod validate;
