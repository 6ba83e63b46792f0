//! Providers' payloads become rows of `wt_health_metrics`: one file per provider.
//!
//! Promises: nothing a provider sends makes these parsers panic, and every record that came in is accounted for. Stops
//! before storage: what is stored already, and which source speaks for a day, is the database's business.

pub mod native;
