//! What calls functions besides requests.

use crate::support::{Database, Host, SERVICE_KEY, Setup};

/// The guest does what the last segment of its path says, which for a trigger is the function's name. The host's figures tell
/// how often it ran.
const LISTENING: &str = "[functions.hello]\nlisten = \"work\"\npoll_s = 86400\n";

async fn runs(host: &Host, function: &str, trigger: &str) -> f64 {
    let name = format!("welltrack_edge_trigger_runs_total{{function=\"{function}\",trigger=\"{trigger}\"}}");
    host.figure(&name).await.unwrap_or_default()
}

async fn until(mut done: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::timeout(std::time::Duration::from_secs(90), async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("it does not come about");
}

fn host_on(database: &Database, functions: &str) -> Host {
    Setup::new(functions).variable("SUPABASE_DB_URL", &database.url("authenticator")).start()
}

#[tokio::test]
async fn a_notification_is_followed_by_a_run() {
    let database = Database::with("").await;
    let host = host_on(&database, LISTENING);
    // The first run is for what was notified before the host listened.
    until(async || runs(&host, "hello", "notify").await >= 1.0).await;
    let before = runs(&host, "hello", "notify").await;
    database.run("notify other; notify work, 'garmin'").await;
    until(async || runs(&host, "hello", "notify").await > before).await;
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_followed_by_a_run() {
    let database = Database::with("").await;
    let host = host_on(&database, LISTENING);
    until(async || runs(&host, "hello", "notify").await >= 1.0).await;
    for _ in 0..3 {
        let before = runs(&host, "hello", "notify").await;
        database
            .run("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
            .await;
        until(async || runs(&host, "hello", "notify").await > before).await;
    }
}

#[tokio::test]
async fn notifications_that_come_together_are_one_run() {
    let database = Database::with("").await;
    let host = host_on(&database, LISTENING);
    until(async || runs(&host, "hello", "notify").await >= 1.0).await;
    let before = runs(&host, "hello", "notify").await;
    // Postgres sends them with the commit, each with a payload of its own, so that it doesn't fold them itself.
    database.run("begin; select pg_notify('work', n::text) from generate_series(1, 5000) n; commit").await;
    database.run("notify work, 'last'").await;
    until(async || runs(&host, "hello", "notify").await > before).await;
    let after = runs(&host, "hello", "notify").await;
    assert!(after - before < 2_500.0, "5001 notifications made {} runs", after - before);
}

#[tokio::test]
async fn a_run_that_asks_for_another_gets_it() {
    let database = Database::with("").await;
    let host = host_on(&database, &LISTENING.replace("hello", "again"));
    until(async || runs(&host, "again", "notify").await >= 100.0).await;
}

#[tokio::test]
async fn a_run_that_wants_another_one_soon_gets_it_after_a_pause() {
    let database = Database::with("").await;
    let both = format!("{}{}", LISTENING.replace("hello", "again"), LISTENING.replace("hello", "soon"));
    let host = host_on(&database, &both);
    // The first pause is sixteen times shorter than the last.
    until(async || runs(&host, "soon", "notify").await >= 6.0).await;
    let (again, soon) = (runs(&host, "again", "notify").await, runs(&host, "soon", "notify").await);
    assert!(again > 10.0 * soon, "{again} runs at once, {soon} after a pause");
}

#[tokio::test]
async fn work_that_nobody_notifies_is_found_by_the_poll() {
    let database = Database::with("").await;
    let host = host_on(&database, &LISTENING.replace("86400", "1"));
    until(async || runs(&host, "hello", "notify").await >= 3.0).await;
}

#[tokio::test]
async fn a_trigger_calls_with_the_service_role_and_says_what_it_is() {
    let database = Database::with("").await;
    // Named so that the guest prints what it is sent, which a log at level debug shows.
    let host = Setup::new(&LISTENING.replace("hello", "print"))
        .config("[functions.print]\nverify_jwt = true\n")
        .variable("SUPABASE_DB_URL", &database.url("authenticator"))
        .argument("--log-level=debug")
        .start();
    host.logged(|line| line.contains("to standard output") && line.contains("notify"));
    database.run("notify work, 'strava'").await;
    host.logged(|line| line.contains("to standard output") && line.contains("strava"));
    assert!(
        !host.log().iter().any(|line| line.contains("a run failed")),
        "the token is good: {:?}",
        host.log()
    );
    assert!(!host.log().iter().any(|line| line.contains(SERVICE_KEY)));
}

#[tokio::test]
async fn a_tick_of_a_schedule_is_one_run_of_one_host() {
    let database = Database::with("").await;
    let settings = "[functions.hello]\nschedule = \"* * * * *\"\n";
    let hosts: Vec<_> = (0..3).map(|_| host_on(&database, settings)).collect();
    let ticks = async |outcome: &str| {
        let name = format!("welltrack_edge_schedule_ticks_total{{function=\"hello\",outcome=\"{outcome}\"}}");
        let mut total = 0.0;
        for host in &hosts {
            total += host.figure(&name).await.unwrap_or_default();
        }
        total
    };
    // A tick is asked for by each of the three, and given to one.
    until(async || ticks("taken").await >= 2.0).await;
    assert_eq!(ticks("run").await, (ticks("taken").await / 2.0).round());
    assert_eq!(ticks("missed").await, 0.0);
}
