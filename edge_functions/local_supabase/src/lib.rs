//! Stand-ins for PostgREST and GoTrue, and the host with them: Supabase on a developer's machine, without Docker.
//!
//! They answer as Supabase's own services do. Never deploy them: everybody who signs up is confirmed at once, and the keys are
//! well known. The deployed `welltrack-edge` doesn't depend on this crate.

pub mod auth;
mod config;
pub mod rest;
mod stand_ins;

pub use stand_ins::LocalSupabase;
