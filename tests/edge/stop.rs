//! How a host ends.

use reqwest::Method;

use crate::support::Setup;

#[tokio::test]
async fn a_host_that_stops_finishes_what_runs_and_turns_others_away() {
    let mut host = Setup::new("[functions.hostile]\n").start();
    let running = host.get("hostile/drip?300").await;
    host.terminate();
    host.logged(|line| line.contains("\"message\":\"stopping\""));
    let late = host.get("hostile/hello").await;
    assert_eq!(late.status(), 503);
    assert!(late.headers().contains_key("retry-after"));
    assert_eq!(host.request(Method::GET, "/readyz").send().await.unwrap().status(), 503);
    assert_eq!(host.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    assert_eq!(running.text().await.unwrap(), "drop\n".repeat(10));
    assert!(host.ended().success());
}

#[tokio::test]
async fn a_call_whose_client_has_left_is_finished_too() {
    let mut host = Setup::new("[functions.hostile]\n").argument("--log-level=debug").start();
    let gone =
        host.request(Method::GET, "/functions/v1/hostile/sleep?1500").header("x-request-id", "left-alone");
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), gone.send()).await.is_err());
    assert_eq!(host.figure("welltrack_edge_instances{function=\"hostile\"}").await, Some(1.0));
    host.terminate();
    assert!(host.ended().success());
    assert!(host.log().iter().any(|line| line.contains("\"message\":\"stopped\"")), "{:?}", host.log());
}

#[tokio::test]
async fn a_host_does_not_wait_for_ever() {
    let mut host = Setup::new("[functions.hostile]\n").argument("--grace=1").start();
    let running = host.get("hostile/drip?10000").await;
    host.terminate();
    assert!(host.ended().success());
    assert!(host.log().iter().any(|line| line.contains("the time for it is over")), "{:?}", host.log());
    assert!(running.text().await.is_err());
}

#[tokio::test]
async fn an_idle_host_with_open_connections_stops_at_once() {
    let mut host = Setup::new("[functions.hostile]\n").start();
    let idle = tokio::net::TcpStream::connect(host.address()).await.unwrap();
    host.serves_on("hostile").await;
    host.terminate();
    assert!(host.ended().success());
    assert!(!host.log().iter().any(|line| line.contains("the time for it is over")), "{:?}", host.log());
    drop(idle);
}
