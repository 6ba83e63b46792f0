//! What a function is told, who is let in, and what a browser is told.

use reqwest::Method;

use crate::support::{ANON_KEY, Setup};

#[tokio::test]
async fn a_function_sees_the_path_without_the_gateways_part() {
    let host = Setup::new("[functions.hostile]\n").start();
    for (sent, seen) in [
        ("hostile/describe", "GET /hostile/describe"),
        ("hostile/a/b%2Fc/describe?d=e&f", "GET /hostile/a/b%2Fc/describe?d=e&f"),
    ] {
        let text = host.get(sent).await.text().await.unwrap();
        assert_eq!(text.lines().next(), Some(seen));
    }
    for path in ["hostile", "hostile/", "hostile?x=1"] {
        assert_eq!(host.get(path).await.status(), 404, "the guest itself knows no such path: {path}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_404() {
    let host = Setup::new("[functions.hostile]\n").start();
    for path in [
        "/functions/v1/absent",
        "/functions/v1/",
        "/functions/v1",
        "/",
        "/rest/v1/x",
        "/functions/v1/..%2fhostile",
    ] {
        let answer = host.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_function_sees_the_variables_that_its_settings_name_and_no_others() {
    let settings = "[functions.open]\n[functions.trusted]\nservice_key = true\nsecrets = [\"A_SECRET\"]\n";
    let host =
        Setup::new(settings).variable("A_SECRET", "planted-a").variable("B_SECRET", "planted-b").start();
    let names = |text: String| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    };
    let open = names(host.get("open/environment").await.text().await.unwrap());
    assert_eq!(open, ["SUPABASE_URL", "SUPABASE_ANON_KEY"]);
    let trusted = names(host.get("trusted/environment").await.text().await.unwrap());
    assert_eq!(trusted, ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY", "A_SECRET"]);
}

#[tokio::test]
async fn a_function_that_wants_a_token_is_closed_to_whoever_has_none() {
    let host = Setup::new("[functions.open]\n[functions.closed]\n")
        .config("[functions.open]\nverify_jwt = false\n")
        .start();
    let status = async |function: &str, authorization: Option<&str>| {
        let mut request = host.request(Method::GET, &format!("/functions/v1/{function}/hello"));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("open", None).await, 200);
    assert_eq!(status("closed", None).await, 401);
    assert_eq!(status("closed", Some(&format!("Bearer {ANON_KEY}"))).await, 200);
    for wrong in ["Bearer", "Bearer x", "Basic eDp4", "", &format!("Bearer {ANON_KEY}x"), ANON_KEY] {
        assert_eq!(status("closed", Some(wrong)).await, 401, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_function_that_is_disabled_is_not_there() {
    let setup = Setup::new("[functions.on]\n")
        .config("[functions.off]\nenabled = false\n[functions.on]\nverify_jwt = false\n");
    setup.put_component("off");
    let host = setup.start();
    assert_eq!(host.get("off/hello").await.status(), 404);
    host.serves_on("on").await;
}

#[tokio::test]
async fn a_request_keeps_its_id_and_gets_one_where_it_has_none() {
    let host = Setup::new("[functions.hostile]\n").start();
    let describe = async |id: Option<&str>| {
        let mut request = host.request(Method::GET, "/functions/v1/hostile/describe");
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let answer = request.send().await.unwrap();
        let told = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let seen = answer.text().await.unwrap();
        assert!(seen.contains(&format!("x-request-id={told}")), "{seen}");
        told
    };
    assert_eq!(describe(Some("my-own-id.42")).await, "my-own-id.42");
    let (one, other) = (describe(None).await, describe(None).await);
    assert_ne!(one, other);
    for odd in ["short", "with space in it", &"x".repeat(65), "quote\"quote"] {
        assert_ne!(describe(Some(odd)).await, odd);
    }
}

#[tokio::test]
async fn a_browser_is_told_what_supabases_gateway_tells_it() {
    let host = Setup::new("[functions.closed]\n").config("").start();
    let preflight = host
        .request(Method::OPTIONS, "/functions/v1/closed/hello")
        .header("origin", "http://app.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,apikey,x-client-info")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200, "a preflight carries no token");
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization,apikey,x-client-info");
    assert!(preflight.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    // Errors too, or the browser hides them.
    let refused = host.get("closed/hello").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"] == "*"),
        (401, true)
    );
}

#[tokio::test]
async fn the_host_says_that_it_lives_and_that_its_database_does_not() {
    let host = Setup::new("[functions.hostile]\n").start();
    assert_eq!(host.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    assert_eq!(host.request(Method::GET, "/readyz").send().await.unwrap().status(), 503);
    assert_eq!(host.figure("welltrack_queue_up").await, Some(0.0));
}
