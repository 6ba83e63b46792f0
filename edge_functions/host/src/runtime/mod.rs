//! Running a function: an instance of its component for each request, within its limits.
//!
//! Promises: whatever a component does costs at most what its settings allow, and ends in one of a few clear answers.
//! Stops at the function: which one a request is for, and who may call it, is decided before.

mod address;
mod body;
mod call;
mod engine;
mod failure;
mod guest;
mod meter;
mod outgoing;
mod output;
mod run;

pub(crate) use address::is_public;
pub(crate) use call::{Call, Common, Function};
pub(crate) use engine::Runtime;
pub(crate) use failure::REASONS;
pub(crate) use outgoing::Outside;
