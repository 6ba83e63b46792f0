//! The local stack as a library: a private Postgres, clusters of it, the edge host before them, and what is needed to run them.
//!
//! Used by `cargo xtask` and by what runs on a stack: the demo with its report, and the benchmarks. Its errors are
//! [`anyhow`]'s: they are for a person to read, and nobody decides by them.

pub mod cluster;
pub mod cmd;
pub mod debs;
pub mod edge;
pub mod files;
pub mod functions;
pub mod inputs;
pub mod layout;
pub mod npm;
pub mod port;
pub mod prefix;
pub mod rest;
pub mod stack;
pub mod stamp;
pub mod supabase;
pub mod ui;
pub mod user;
pub mod wasm;

pub use stack::{Stack, well_known};
