//! What must not be in a log.

use reqwest::Method;

use crate::support::{SERVICE_KEY, Setup};

const SETTINGS: &str = "
[functions.hostile]
secrets = [\"A_SECRET\"]
service_key = true
cpu_ms = 100
memory_mb = 8
body_mb = 1
first_byte_s = 1
allowed_hosts = [\"127.0.0.1\"]
[functions.closed]
";

/// Every kind of trouble, with something planted wherever a caller can put something.
async fn trouble(level: &str) -> Vec<String> {
    let config = "[functions.hostile]\nverify_jwt = false\n";
    let host = Setup::new(SETTINGS)
        .config(config)
        .variable("A_SECRET", "planted-secret")
        .argument(&format!("--log-level={level}"))
        .start();
    for behaviour in [
        "hello",
        "trap",
        "loop",
        "hog",
        "fail",
        "exit",
        "nothing",
        "count",
        "fetch",
        "trap-in-body",
        "sleep",
        "describe",
    ] {
        let path = format!("/functions/v1/hostile/planted-path/{behaviour}?planted-query=planted");
        let request = host
            .request(Method::POST, &path)
            .header("authorization", "Bearer planted-token")
            .header("x-planted", "planted-header")
            .header("x-url", "http://127.0.0.1/planted-url?planted=planted")
            .body("planted-body: 72.3 kg");
        let _ = request.send().await.unwrap().bytes().await;
    }
    let _ = host.post("hostile/count", vec![b'x'; 3 << 20]).await;
    let refused = host
        .request(Method::GET, "/functions/v1/closed/planted")
        .header("authorization", "Bearer planted.a.b");
    assert_eq!(refused.send().await.unwrap().status(), 401);
    let _ = host.request(Method::GET, "/planted?planted").send().await;
    host.logged(|line| line.contains("body_too_large"));
    host.log()
}

#[tokio::test]
async fn nothing_that_a_caller_sends_is_logged_at_any_level() {
    for level in ["info", "debug"] {
        let log = trouble(level).await;
        assert!(log.iter().any(|line| line.contains("a call failed")));
        let told: Vec<_> =
            log.iter().filter(|line| line.contains("planted") || line.contains("72.3")).collect();
        assert!(told.is_empty(), "{told:#?}");
        assert!(!log.iter().any(|line| line.contains(SERVICE_KEY)));
    }
}

#[tokio::test]
async fn what_a_function_prints_is_for_those_who_ask_for_it_and_its_secrets_are_for_nobody() {
    let text = "weight 72.3 planted-secret";
    let quiet = Setup::new(SETTINGS).variable("A_SECRET", "planted-secret").start();
    assert_eq!(quiet.post("hostile/print", text).await.status(), 200);
    assert_eq!(quiet.get("hostile/trap").await.status(), 500);
    quiet.logged(|line| line.contains("\"reason\":\"trap\""));
    assert!(
        !quiet.log().iter().any(|line| line.contains("72.3") || line.contains("planted")),
        "{:?}",
        quiet.log()
    );

    let asked =
        Setup::new(SETTINGS).variable("A_SECRET", "planted-secret").argument("--log-level=debug").start();
    assert_eq!(asked.post("hostile/print", text).await.status(), 200);
    for stream in ["output", "error"] {
        let line = asked.logged(|line| line.contains(&format!("to standard {stream}")));
        assert!(line.contains("weight 72.3 [redacted]"), "{line}");
    }
    assert!(!asked.log().iter().any(|line| line.contains("planted-secret")));
}

#[tokio::test]
async fn a_log_is_json_where_it_should_be_with_the_id_of_the_request() {
    let host = Setup::new(SETTINGS).start();
    let request =
        host.request(Method::GET, "/functions/v1/hostile/trap").header("x-request-id", "an-id-to-look-for");
    assert_eq!(request.send().await.unwrap().status(), 500);
    let line: serde_json::Value =
        serde_json::from_str(&host.logged(|line| line.contains("an-id-to-look-for"))).unwrap();
    assert_eq!(line["request_id"], "an-id-to-look-for");
    assert_eq!(line["function"], "hostile");
    assert_eq!(line["level"], "WARN");
    for line in host.log() {
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }
}
