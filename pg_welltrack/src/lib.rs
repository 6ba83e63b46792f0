//! WellTrack functions for Postgres.
::pgrx::pg_module_magic!();
