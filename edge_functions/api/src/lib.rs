//! What the edge host knows of Supabase: who a token speaks for, where the database is, the short way to an SQL function.
//!
//! Answers, statuses and error bodies are those of Supabase's own services. This is a library: the host mounts it.

mod address;
pub mod answer;
pub mod database;
pub mod jwt;
pub mod rpc;
mod secret;

pub use address::{Address, AddressError};
pub use secret::Secret;
