//! What stands around the functions: who a token speaks for, the short way to an SQL function, and, for the local stack
//! only, the stand-ins for PostgREST and GoTrue.
//!
//! Promises: answers, statuses and error bodies are those of Supabase's own services. Stops at serving: this is a library,
//! the host mounts it.

mod address;
mod answer;
pub mod auth;
mod database;
pub mod jwt;
pub mod rest;
pub mod rpc;
mod secret;

pub use address::{Address, AddressError};
pub use secret::Secret;
