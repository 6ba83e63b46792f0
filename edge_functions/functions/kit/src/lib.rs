//! What the edge functions share: settings ([`settings`]), answers ([`answer`]), calls to the database ([`rpc`]) and to providers
//! ([`outgoing`]), providers' settings ([`provider`]) and sealed tokens ([`tokens`]).
//!
//! Nothing here panics on what comes from outside. No secret is in any `Debug` or error text.

pub mod answer;
pub mod clock;
pub mod outgoing;
pub mod provider;
pub mod random;
pub mod rpc;
pub mod settings;
pub mod tokens;
