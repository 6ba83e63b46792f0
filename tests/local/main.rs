//! Black-box tests of `welltrack-local`: what it has beyond `welltrack-edge`. They need what tests/edge needs.

#[expect(dead_code, reason = "tests/edge needs more of it")]
#[path = "../edge/support.rs"]
mod support;

use reqwest::Method;

use crate::support::{ANON_KEY, Database, SERVICE_KEY, Setup, fetch, somebody};

/// A local host on that database: its own origin is itself.
fn local(database: &Database) -> Setup {
    Setup::new("[functions.hostile]\n")
        .without("SUPABASE_URL")
        .variable("SUPABASE_DB_URL", &database.url("authenticator"))
}

#[tokio::test]
async fn a_local_host_lets_functions_call_the_simulator_it_is_told_of() {
    let database = Database::with("").await;
    let (simulator, other) = (somebody().await, somebody().await);
    let host = local(&database).argument(&format!("--allow-host={simulator}")).start();
    assert_eq!(
        fetch(&host, "hostile", &format!("http://{simulator}/"), None).await,
        (200, "somebody".to_owned())
    );
    assert_eq!(fetch(&host, "hostile", &format!("http://{other}/"), None).await.0, 502);
}

#[tokio::test]
async fn a_local_host_serves_rest_and_auth_beside_the_functions() {
    let database = Database::with("").await;
    let host = local(&database).start();
    let url = format!("http://{}/rest/v1/", host.address());
    assert_eq!(
        fetch(&host, "hostile", &url, Some(SERVICE_KEY)).await.0 / 100,
        4,
        "POST on the root is no route of REST"
    );
    let direct =
        host.request(Method::GET, "/rest/v1/absent").header("apikey", ANON_KEY).send().await.unwrap();
    assert_eq!(direct.status(), 404);
    assert!(direct.text().await.unwrap().contains("PGRST205"));
    let auth = host.request(Method::GET, "/auth/v1/health").send().await.unwrap();
    assert_eq!(auth.status(), 200, "{}", auth.text().await.unwrap());
}

#[test]
fn a_local_host_starts_with_nothing_set() {
    let names = ["URL", "ANON_KEY", "SERVICE_ROLE_KEY", "JWT_SECRET", "DB_URL"];
    let setup = names
        .iter()
        .fold(Setup::new("[functions.hostile]\n"), |setup, name| setup.without(&format!("SUPABASE_{name}")));
    let (content, text) = setup.check();
    assert!(content, "{text}");
}

#[tokio::test]
async fn a_local_host_listens_on_this_machine_only() {
    let database = Database::with("").await;
    let text = local(&database).argument("--listen=0.0.0.0:0").serve_fails();
    assert!(text.contains("on this machine only"), "{text}");
}
