//! How long a push takes from the queue to the tables, and how many go through.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postgres::Client;

use super::load::{closed, paced};
use super::measure::{Line, Target, millis};
use super::pushes::{PEOPLE, Pushes};
use super::servers::{CLIENTS, HELLO, HELLO_PATH, Programs, WEBHOOK, WORKER, webhook_path};

/// Measures both, with the people connected; what was pushed before is removed.
pub(super) fn measure(programs: &Programs, pushes: &Pushes, admin: &mut Client) -> Result<[Line; 2]> {
    const QUEUED: usize = 20_000;
    const PACED: usize = 3_000;
    // Whatever was pushed so far was for nobody.
    admin.batch_execute("truncate public.wt_webhook_events")?;
    connect_people(admin)?;
    // What compiles its code is not what is measured.
    drop(programs.host(&[HELLO, WEBHOOK, WORKER])?.wait(HELLO_PATH)?);
    {
        let webhook = programs.host(&[HELLO, WEBHOOK])?.wait(HELLO_PATH)?;
        closed(webhook.port, CLIENTS, &pushes.many(&webhook_path(), QUEUED))?;
    }
    let begun = Instant::now();
    let worker = programs.host(&[HELLO, WEBHOOK, WORKER])?.wait(HELLO_PATH)?;
    drained(admin)?;
    let rate = QUEUED as f64 / begun.elapsed().as_secs_f64();
    let (kept, dead): (i64, i64) = {
        let row = admin.query_one(
            "select (select count(*) from public.wt_health_metrics),
                    (select count(*) from public.wt_webhook_events where status = 'dead_letter')",
            &[],
        )?;
        (row.get(0), row.get(1))
    };
    ensure!(dead == 0, "{dead} of the events are dead letters");
    ensure!(kept >= i64::try_from(QUEUED)?, "{QUEUED} events left {kept} readings");

    admin.batch_execute("truncate public.wt_webhook_events")?;
    let path = webhook_path();
    let mut acks = paced(worker.port, 16, 200.0, &pushes.many(&path, PACED))?;
    drained(admin)?;
    let p99: f64 = admin
        .query_one(
            "select percentile_cont(0.99) within group (order by extract(epoch from processed_at - received_at))
             from public.wt_webhook_events where status = 'processed'",
            &[],
        )?
        .get(0);
    Ok([
        Line {
            what: format!(
                "events a second from the queue to the tables, one worker ({:.1} readings each)",
                kept as f64 / QUEUED as f64
            ),
            ours: format!("{rate:.0}/s"),
            against: String::new(),
            floor: String::new(),
            ratio: rate,
            unit: "/s",
            target: Target::AtLeast(2000.0),
        },
        Line {
            what: format!(
                "pushed to processed at 200 pushes/s, p99 (acknowledged p99 {})",
                millis(acks.quantile(0.99))
            ),
            ours: format!("{:.2} ms", p99 * 1e3),
            against: String::new(),
            floor: String::new(),
            ratio: p99 * 1e3,
            unit: " ms",
            target: Target::AtMost(1000.0),
        },
    ])
}

fn connect_people(admin: &mut Client) -> Result<()> {
    admin.batch_execute(&format!(
        "insert into auth.users (id, aud, role, email, raw_user_meta_data)
         select gen_random_uuid(), 'authenticated', 'authenticated', 'bench-' || n || '@example.org', '{{}}'
         from generate_series(0, {PEOPLE} - 1) n;
         insert into public.wt_health_connections (user_id, profile_id, provider, provider_user_id)
         select p.user_id, p.id, 'garmin', split_part(u.email, '@', 1)
         from auth.users u join public.wt_profiles p on p.user_id = u.id and p.is_primary;
         analyze;"
    ))?;
    Ok(())
}

fn drained(admin: &mut Client) -> Result<()> {
    let start = Instant::now();
    let left = "select count(*) from (select from public.wt_webhook_events where status in ('pending', 'processing') limit 1) e";
    while admin.query_one(left, &[])?.get::<_, i64>(0) > 0 {
        ensure!(start.elapsed() < Duration::from_secs(300), "the queue does not empty");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
