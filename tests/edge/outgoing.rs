//! What a function can reach, and what it can't.

use reqwest::Method;

use crate::support::{ANON_KEY, Database, SERVICE_KEY, Setup, fetch, somebody};

const ECHO: &str = "
    create function public.whoami(jsonb) returns jsonb language sql as $$
        select jsonb_build_object('role', current_user, 'argument', $1,
                                  'id', current_setting('request.headers')::json ->> 'x-request-id') $$;
    create function public.refuse(jsonb) returns jsonb language plpgsql as $$
        begin raise exception 'no' using errcode = 'PT418', hint = 'tea'; end $$;
    create function public.queue_stats(jsonb) returns jsonb language sql as $$
        select '{\"pending\": 3, \"processing\": 1, \"processed\": 8, \"dead_letter\": 2, \"parked\": 0,
                 \"oldest_pending_seconds\": 12.5, \"retries\": 4}'::jsonb $$;
    grant usage on schema public to anon, authenticated, service_role;
    grant execute on all functions in schema public to anon, authenticated, service_role;";

#[tokio::test]
async fn a_host_that_is_not_on_the_list_is_refused_with_one_line() {
    let host = Setup::new("[functions.hostile]\nallowed_hosts = [\"api.example.com\"]\n").start();
    for url in
        ["https://evil.example/", "https://api.example.com:8443/", "https://api.example.com.evil.example/"]
    {
        let (status, text) = fetch(&host, "hostile", url, None).await;
        assert_eq!(status, 502, "{url}");
        assert!(text.contains("HttpRequestDenied"), "{url}: {text}");
    }
    let line = host.logged(|line| line.contains("evil.example"));
    assert!(line.contains("not in allowed_hosts") && line.contains("the-id-of-this-test"), "{line}");
    assert_eq!(host.figure("welltrack_edge_outgoing_refused_total{function=\"hostile\"}").await, Some(3.0));
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn an_address_inside_is_refused_even_when_its_name_is_on_the_list() {
    let somebody = somebody().await;
    let port = somebody.port();
    let names = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0.0.0.0:{port}"),
        "169.254.169.254".to_owned(),
        "10.0.0.1".to_owned(),
    ];
    let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let host = Setup::new(&format!("[functions.hostile]\nallowed_hosts = [{list}]\n")).start();
    for name in &names {
        let (status, text) = fetch(&host, "hostile", &format!("http://{name}/"), None).await;
        assert_eq!(status, 502, "{name}: {text}");
        assert!(text.contains("DestinationIpProhibited"), "{name}: {text}");
    }
}

#[tokio::test]
async fn calls_to_the_own_origin_stay_in_the_process() {
    let database = Database::with(ECHO).await;
    // No address that anybody could call: whatever is answered was answered inside.
    let host = Setup::new("[functions.a]\n[functions.b]\n")
        .variable("SUPABASE_DB_URL", &database.url("authenticator"))
        .start();
    let own = "http://project.test";
    let (status, text) = fetch(&host, "a", &format!("{own}/rest/v1/rpc/whoami"), Some(SERVICE_KEY)).await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200);
    let expected = serde_json::json!({ "role": "service_role", "argument": {}, "id": "the-id-of-this-test" });
    assert_eq!(answer, expected);

    let (_, text) = fetch(&host, "a", &format!("{own}/rest/v1/rpc/whoami"), Some(ANON_KEY)).await;
    assert!(text.contains("\"anon\""), "{text}");
    let (_, text) = fetch(&host, "a", &format!("{own}/rest/v1/rpc/whoami"), None).await;
    assert!(text.contains("\"anon\""), "{text}");
    assert_eq!(fetch(&host, "a", &format!("{own}/rest/v1/rpc/whoami"), Some("forged")).await.0, 401);
    let (status, text) = fetch(&host, "a", &format!("{own}/rest/v1/rpc/refuse"), Some(SERVICE_KEY)).await;
    assert!(status == 418 && text.contains("\"tea\""), "{status} {text}");
    let (status, text) = fetch(&host, "a", &format!("{own}/functions/v1/b/hello"), None).await;
    assert_eq!((status, text.as_str()), (200, "{\"hello\":\"world\"}"));
    assert_eq!(fetch(&host, "a", &format!("{own}/functions/v1/absent"), None).await.0, 404);

    assert_eq!(host.request(Method::GET, "/readyz").send().await.unwrap().status(), 200);
    assert_eq!(host.figure("welltrack_queue_events{status=\"dead_letter\"}").await, Some(2.0));
    assert_eq!(host.figure("welltrack_queue_events{status=\"pending\"}").await, Some(3.0));
    assert_eq!(host.figure("welltrack_queue_oldest_pending_seconds").await, Some(12.5));
    assert_eq!(host.figure("welltrack_queue_retries").await, Some(4.0));
}

#[tokio::test]
async fn a_function_that_calls_itself_runs_into_its_own_limit_and_not_the_hosts() {
    let settings = "[functions.hostile]\nconcurrency = 4\nqueue_wait_ms = 100\n[functions.other]\n";
    let host = Setup::new(settings).start();
    // Each call waits for the next one, until there is no turn left: the guest passes the 503 on.
    let url = "http://project.test/functions/v1/hostile/fetch";
    assert_eq!(fetch(&host, "hostile", url, None).await.0, 503);
    host.serves_on("other").await;
}
