//! Running a function: an instance of its component for each request, within its limits.
//!
//! Whatever a component does costs at most what its settings allow, and ends in one of a few clear answers.

mod address;
mod body;
mod call;
mod client;
mod egress;
mod engine;
mod failure;
mod function;
mod guest;
mod identity;
mod meter;
mod outgoing;
mod output;
mod run;

pub(crate) use call::{Call, call};
pub(crate) use egress::Egress;
pub(crate) use engine::Runtime;
pub(crate) use failure::REASONS;
pub(crate) use function::{Common, Function};
