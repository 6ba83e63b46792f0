//! What the edge functions share: settings ([`settings`]), answers ([`answer`]), calls to the database ([`rpc`]) and to providers
//! ([`outgoing`]), providers' settings ([`provider`]) and sealed tokens ([`tokens`]).
//!
//! Promises: nothing here panics on what comes from outside; no secret is in any `Debug` or error text. Stops at policy: what an
//! event means, and what to do when a call fails, is the function's.

pub mod answer;
pub mod clock;
pub mod outgoing;
pub mod provider;
pub mod random;
pub mod rpc;
pub mod settings;
pub mod tokens;
