//! Durable small inserts a second, 32 clients at once: the short way beside a bare tokio-postgres insert, interleaved.
//!
//! `cargo run --release -p welltrack_gateway --example rpc_bench -- URL [CONNECTIONS]`, with the URL of a superuser
//! (postgresql://supabase_admin:postgres@HOST:PORT/DATABASE), makes a table and a function of its own in that database and drops them again. Reports medians; judges nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_postgres::{Config, NoTls, types::Json};
use welltrack_gateway::{
    jwt::{AUDIENCE, Caller, JwtSettings, Verifier},
    rpc::Pool,
};

const CLIENTS: usize = 32;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const BODY: &str = r#"{"source":"garmin","event_type":"dailies","payload":{"dailies":[{"userId":"u","summaryId":"s","steps":4242}]}}"#;

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// The local stack's well-known service key.
const SERVICE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";

const STAGE: &str = "
    drop table if exists public.bench_events cascade;
    create table public.bench_events (id bigint generated always as identity primary key, payload jsonb not null);
    grant insert on public.bench_events to service_role;
    create or replace function public.bench_insert(jsonb) returns jsonb language plpgsql set search_path = '' as $$
        begin
            insert into public.bench_events (payload) values ($1);
            return '{\"stored\": 1}'::jsonb;
        end $$;";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("the URL of a superuser is missing"))?;
    let admin: Config = url.parse()?;
    let client = open(&admin).await?;
    client.batch_execute(STAGE).await?;
    let durable: String = client
        .query_one("select current_setting('synchronous_commit') || '/' || current_setting('fsync')", &[])
        .await?
        .get(0);
    println!("synchronous_commit/fsync: {durable}, {CLIENTS} clients, {ROUNDS} rounds of {ROUND:?}");

    let verifier =
        Verifier::new(JwtSettings { hs256_secret: SECRET.into(), jwks: None, audience: AUDIENCE.into() })?;
    let caller = verifier.verify(SERVICE_KEY)?;
    let connections = std::env::args().nth(2).map_or(Ok(CLIENTS), |text| text.parse())?;
    let pool = Pool::connect(&url.replace("supabase_admin:", "authenticator:"), connections).await?;
    let sharing = pool.clone().sharing(vec!["bench_insert".to_owned()]);

    let (mut bare, mut wrapped, mut short, mut shared) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        bare.push(bare_inserts(&admin, false).await?);
        wrapped.push(bare_inserts(&admin, true).await?);
        short.push(calls(&pool, &caller).await?);
        shared.push(calls(&sharing, &caller).await?);
    }
    println!("bare insert, its own transaction: {:>8.0}/s", median(&mut bare));
    println!("bare begin, insert, commit:       {:>8.0}/s", median(&mut wrapped));
    println!("the short way:                    {:>8.0}/s", median(&mut short));
    println!("the short way, shared:            {:>8.0}/s", median(&mut shared));
    client.batch_execute("drop function public.bench_insert; drop table public.bench_events").await?;
    Ok(())
}

async fn open(config: &Config) -> anyhow::Result<tokio_postgres::Client> {
    let (client, driver) = config.connect(NoTls).await?;
    tokio::spawn(driver);
    Ok(client)
}

async fn bare_inserts(admin: &Config, transaction: bool) -> anyhow::Result<f64> {
    let body: serde_json::Value = serde_json::from_str(BODY)?;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let client = open(admin).await?;
        let body = body.clone();
        clients.spawn(async move {
            let insert = client.prepare("insert into public.bench_events (payload) values ($1)").await?;
            let (started, mut done) = (Instant::now(), 0_u32);
            while started.elapsed() < ROUND {
                let argument = Json(&body);
                if transaction {
                    tokio::try_join!(
                        biased;
                        client.batch_execute("begin"),
                        async { client.execute(&insert, &[&argument]).await.map(drop) },
                        client.batch_execute("commit"),
                    )?;
                } else {
                    client.execute(&insert, &[&argument]).await?;
                }
                done += 1;
            }
            anyhow::Ok(f64::from(done) / started.elapsed().as_secs_f64())
        });
    }
    sum(clients).await
}

async fn calls(pool: &Pool, caller: &Caller) -> anyhow::Result<f64> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (pool, caller) = (pool.clone(), caller.clone());
        clients.spawn(async move {
            let (started, mut done) = (Instant::now(), 0_u32);
            while started.elapsed() < ROUND {
                let response =
                    pool.call("bench_insert", Bytes::from_static(BODY.as_bytes()), &caller, "bench").await;
                anyhow::ensure!(response.status().is_success(), "answered {}", response.status());
                done += 1;
            }
            anyhow::Ok(f64::from(done) / started.elapsed().as_secs_f64())
        });
    }
    sum(clients).await
}

async fn sum(mut clients: tokio::task::JoinSet<anyhow::Result<f64>>) -> anyhow::Result<f64> {
    let mut total = 0.0;
    while let Some(rate) = clients.join_next().await {
        total += rate??;
    }
    Ok(total)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
