//! What PostgREST does for a signed-in person, without the detour through HTTP.
//!
//! Promises: every step is one transaction as `authenticated` with that person's claims, on a connection of the role
//! `authenticator`: row-level security decides what it sees. Stops at the transaction.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::civil::Date;
use postgres::{Client, Transaction};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cmd;

/// How long to wait for work that another session may hold, before reporting it.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// One request of a signed-in person.
pub fn signed_in<T>(
    client: &mut Client,
    user_id: Uuid,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let claims = json!({"sub": user_id, "role": "authenticated", "aud": "authenticated"}).to_string();
    let mut tx = client.transaction()?;
    tx.execute(
        "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
        &[&claims],
    )?;
    let result = work(&mut tx)?;
    tx.commit()?;
    Ok(result)
}

/// Runs the engine as somebody, for themselves, as of a day, until nothing is left.
pub fn run_engine(client: &mut Client, user_id: Uuid, as_of: Date) -> Result<()> {
    let start = Instant::now();
    loop {
        let run: Value = signed_in(client, user_id, |tx| {
            let sql = "select public.run_performance_engine($1::text::date)";
            Ok(tx.query_one(sql, &[&as_of.to_string()])?.get(0))
        })?;
        if run["left"] == false {
            return Ok(());
        }
        if cmd::interrupted() {
            bail!(cmd::Interrupted);
        }
        if start.elapsed() > BUSY_TIMEOUT {
            bail!("days still wait for their scores: another session holds them (see pg_stat_activity)");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
