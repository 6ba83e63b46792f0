//! The stand-in seen from outside, over HTTP: what the project's functions will meet.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use reqwest_0_12::redirect::Policy;
use reqwest_0_12::{Client, Response, Url};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::courier::Parcel;
use super::faults::{Endpoint, Fault, Rule, When, Window};
use super::strava::{Activity, News};
use super::{Settings, Simulator};

fn simulator() -> Simulator {
    Simulator::start(Settings::default()).expect("a free port")
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client")
}

/// The code in the address that a consent page leads to.
fn code(answer: &Response) -> String {
    let location = answer.headers()["location"].to_str().expect("text");
    let query = Url::parse(location).expect("an address");
    assert!(query.query_pairs().any(|(name, value)| name == "state" && value == "s1"));
    query.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned()
}

/// An athlete's tokens, by way of the consent page.
async fn strava_tokens(simulator: &Simulator, athlete: u64, scope: &str) -> Value {
    let id = simulator.settings().strava_client_id.clone();
    let url = format!("{}/oauth/authorize", simulator.base_url);
    let athlete = athlete.to_string();
    let query = [
        ("client_id", id.as_str()),
        ("redirect_uri", "http://app.example/back"),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "s1"),
        ("as", &athlete),
    ];
    let code = code(&client().get(url).query(&query).send().await.expect("an answer"));
    exchange(simulator, &[("grant_type", "authorization_code"), ("code", &code)]).await.1
}

async fn exchange(simulator: &Simulator, params: &[(&str, &str)]) -> (u16, Value) {
    let settings = simulator.settings();
    let mut form = vec![
        ("client_id", settings.strava_client_id.as_str()),
        ("client_secret", settings.strava_client_secret.as_str()),
    ];
    form.extend(params);
    let answer = client().post(format!("{}/oauth/token", simulator.base_url)).form(&form).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn fetch(simulator: &Simulator, id: u64, token: &str) -> reqwest_0_12::Result<Response> {
    let url = format!("{}/api/v3/activities/{id}", simulator.base_url);
    client().get(url).bearer_auth(token).send().await
}

fn activity(id: u64, athlete: u64) -> Activity {
    Activity {
        id,
        athlete,
        name: "Morning run".into(),
        sport: "Run".into(),
        start: 1_700_000_000,
        offset: 7200,
        moving: 1800,
        elapsed: 1900,
        distance: Some(5012.5),
        climb: Some(31.0),
        average_hr: Some(148.2),
        max_hr: Some(171.0),
        calories: Some(402.0),
        is_private: false,
        not_yet: 0,
    }
}

#[tokio::test]
async fn every_answer_says_that_it_comes_from_a_stand_in() {
    let simulator = simulator();
    for path in ["/", "/nowhere", "/api/v3/activities/1", "/_control/environment"] {
        let answer = client().get(format!("{}{path}", simulator.base_url)).send().await.expect("an answer");
        assert_eq!(answer.headers()["x-stand-in"], "provider-simulator", "{path}");
    }
}

#[tokio::test]
async fn garmin_gives_tokens_for_the_right_verifier_and_takes_them_back() {
    let simulator = simulator();
    let verifier = "a-verifier-of-the-length-that-the-standard-asks-for";
    let query = [
        ("client_id", simulator.settings().garmin_client_id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", "http://app.example/back"),
        ("state", "s1"),
        ("code_challenge", &super::oauth::challenge(verifier)),
        ("code_challenge_method", "S256"),
        ("as", "g7"),
    ];
    let url = format!("{}/oauth2Confirm", simulator.base_url);
    let code = code(&client().get(url).query(&query).send().await.expect("an answer"));
    let form = [
        ("client_id", simulator.settings().garmin_client_id.as_str()),
        ("client_secret", &simulator.settings().garmin_client_secret),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", verifier),
        ("redirect_uri", "http://app.example/back"),
    ];
    let url = format!("{}/di-oauth2-service/oauth/token", simulator.base_url);
    let tokens: Value = client().post(&url).form(&form).send().await.unwrap().json().await.unwrap();
    let access = tokens["access_token"].as_str().expect("a token");
    let again = client().post(&url).form(&form).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::BAD_REQUEST, "a code works once");

    let at = |path: &str| format!("{}/wellness-api/rest/user/{path}", simulator.base_url);
    let user: Value = client().get(at("id")).bearer_auth(access).send().await.unwrap().json().await.unwrap();
    assert_eq!(user, json!({"userId": "g7"}));
    let gone = client().delete(at("registration")).bearer_auth(access).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(client().get(at("id")).bearer_auth(access).send().await.unwrap().status(), 401);
    assert!(!simulator.garmin_connected("g7"));
}

#[tokio::test]
async fn strava_shows_an_activity_when_it_is_there_to_whom_it_may_and_while_the_token_is_good() {
    let simulator = simulator();
    let tokens = strava_tokens(&simulator, 5, "read,activity:read_all").await;
    assert_eq!(tokens["athlete"]["id"], 5);
    let token = tokens["access_token"].as_str().unwrap();
    simulator.put_activity(Activity { not_yet: 1, ..activity(1, 5) });
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 404, "just after it was made");
    let seen = fetch(&simulator, 1, token).await.unwrap();
    assert!(seen.headers().contains_key("x-readratelimit-usage"));
    assert_eq!(seen.json::<Value>().await.unwrap()["start_date"], "2023-11-14T22:13:20Z");
    simulator.put_activity(activity(2, 6));
    assert_eq!(fetch(&simulator, 2, token).await.unwrap().status(), 404, "somebody else's");

    simulator.expire_strava(5);
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 401);
    let old = tokens["refresh_token"].as_str().unwrap();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", old)];
    let (status, new) = exchange(&simulator, &refresh).await;
    assert_eq!((status, new.get("athlete")), (200, None));
    let (status, refusal) = exchange(&simulator, &refresh).await;
    assert_eq!((status, &refusal["errors"][0]["field"]), (400, &json!("refresh_token")));
    assert_eq!(simulator.strava_refreshes(5), super::Refreshes { granted: 1, refused: 1 });
    let token = new["access_token"].as_str().unwrap();
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 200);
    simulator.revoke_strava(5);
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 401);
    assert_eq!(simulator.seen().iter().filter(|seen| seen.is_refresh()).count(), 2);
}

#[tokio::test]
async fn strava_takes_tokens_back_from_those_who_know_the_secret() {
    let simulator = simulator();
    let revoke = async |token: &str, secret: &str| {
        let url = format!("{}/oauth/revoke", simulator.base_url);
        let id = &simulator.settings().strava_client_id;
        let request = client().post(url).basic_auth(id, Some(secret)).form(&[("token", token)]);
        request.send().await.expect("an answer").status().as_u16()
    };
    let secret = simulator.settings().strava_client_secret.clone();
    let tokens = strava_tokens(&simulator, 5, "activity:read_all").await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(revoke(refresh, "another").await, 401);
    assert!(simulator.strava_connected(5));
    assert_eq!(revoke("unknown", &secret).await, 200);
    assert_eq!(revoke(refresh, &secret).await, 200);
    assert!(!simulator.strava_connected(5));
}

#[tokio::test]
async fn a_private_activity_is_hidden_from_those_who_may_not_read_all() {
    let simulator = simulator();
    simulator.put_activity(Activity { is_private: true, ..activity(1, 5) });
    for (scope, status) in [("read,activity:read", 404), ("read,activity:read_all", 200)] {
        let tokens = strava_tokens(&simulator, 5, scope).await;
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), status, "{scope}");
    }
}

#[tokio::test]
async fn each_fault_is_met_as_often_as_asked_and_recorded() {
    let simulator = simulator();
    let tokens = strava_tokens(&simulator, 5, "activity:read_all").await;
    let token = tokens["access_token"].as_str().unwrap();
    simulator.put_activity(activity(1, 5));
    let once = |fault| {
        simulator.fail(Rule { endpoint: Endpoint::StravaActivity, fault, when: When::Times(1) });
    };
    once(Fault::Status(503));
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 503);
    once(Fault::RateLimited(Window::ReadQuarter));
    let limited = fetch(&simulator, 1, token).await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["x-readratelimit-usage"], "101,700");
    once(Fault::Cut);
    assert!(fetch(&simulator, 1, token).await.expect("a head").bytes().await.is_err());
    once(Fault::Hang(20));
    let hung = fetch(&simulator, 1, token).await;
    assert!(match hung {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    });
    assert_eq!(fetch(&simulator, 1, token).await.unwrap().status(), 200);
    let met: Vec<bool> = simulator
        .seen()
        .iter()
        .filter(|seen| seen.endpoint == Endpoint::StravaActivity)
        .map(|seen| seen.fault.is_some() && seen.bearer.as_deref() == Some(token))
        .collect();
    assert_eq!(met, [true, true, true, true, false]);
}

#[tokio::test]
async fn whoever_hangs_is_freed_by_healing() {
    let simulator = simulator();
    let rule = |fault| Rule { endpoint: Endpoint::StravaActivity, fault, when: When::Times(1) };
    simulator.fail(rule(Fault::Hang(3_600_000)));
    let hung = tokio::spawn({
        let url = format!("{}/api/v3/activities/1", simulator.base_url);
        async move { client().get(url).send().await.and_then(Response::error_for_status) }
    });
    while simulator.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    simulator.heal();
    // An answer that breaks off, or its head: either way the client is free.
    let _ = hung.await.expect("it did not panic");
}

/// A webhook that answers with the given statuses in turn, and tells what it got.
async fn receiver(answers: &'static [u16]) -> (String, mpsc::UnboundedReceiver<(HeaderMap, Vec<u8>)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let hook = axum::routing::any(move |State(()): State<()>, headers: HeaderMap, body: bytes::Bytes| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let _ = tell.send((headers, body.to_vec()));
        async move { StatusCode::from_u16(answers[number.min(answers.len() - 1)]).expect("a status") }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(hook)).await });
    (url, told)
}

#[tokio::test]
async fn garmin_insists_until_it_reads_exactly_200_and_sends_the_same_bytes() {
    let simulator = simulator();
    let (url, mut told) = receiver(&[500, 202, 200]).await;
    let mut courier = simulator.courier();
    courier.garmin.first_wait = Duration::from_millis(1);
    let parcel = Parcel::garmin(&json!({"dailies": []}));
    let delivery = courier.deliver(&parcel, |_| url.clone()).await;
    assert!(delivery.acknowledged());
    let answers: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.answer.clone()).collect();
    assert_eq!(answers, [Ok(500), Ok(202), Ok(200)]);
    for _ in 0..3 {
        let (headers, body) = told.recv().await.expect("a push");
        assert_eq!(headers["garmin-client-id"], simulator.settings().garmin_client_id);
        assert_eq!(body, br#"{"dailies":[]}"#);
    }
}

#[tokio::test]
async fn strava_gives_up_after_three_attempts_and_signs_each() {
    let simulator = simulator();
    let (url, mut told) = receiver(&[500]).await;
    let mut courier = simulator.courier();
    courier.strava.first_wait = Duration::from_millis(1);
    let event = News::Created(&activity(1, 5)).to_json(1, 1_700_000_000);
    let delivery = courier.deliver(&Parcel::strava(&event), |_| url.clone()).await;
    assert!(!delivery.acknowledged());
    assert_eq!(delivery.attempts.len(), 3);
    let (headers, body) = told.recv().await.expect("a push");
    let given = headers["x-strava-signature"].to_str().expect("text");
    let time = given.split(['=', ',']).nth(1).and_then(|time| time.parse().ok()).expect("a time");
    assert_eq!(given, super::strava::signature(&simulator.settings().strava_client_secret, time, &body));
}

#[tokio::test]
async fn a_ping_leads_to_the_summaries_it_stands_for() {
    let simulator = simulator();
    let envelope = json!({"dailies": [{"userId": "g1", "steps": 1}, {"userId": "g1", "steps": 2}]});
    let ping = simulator.as_ping(&envelope);
    let url = ping["dailies"][0]["callbackURL"].as_str().expect("an address");
    let pulled: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(pulled, envelope["dailies"]);
}

#[tokio::test]
async fn the_control_api_switches_faults_and_shows_requests() {
    let simulator = simulator();
    let at = |path: &str| format!("{}/_control/{path}", simulator.base_url);
    let rule = json!({"endpoint": "strava_activity", "fault": {"status": 500}, "when": {"times": 1}});
    assert_eq!(client().post(at("faults")).json(&rule).send().await.unwrap().status(), 204);
    assert_eq!(fetch(&simulator, 1, "x").await.unwrap().status(), 500);
    let seen: Value = client().get(at("requests")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&seen[0]["status"], &seen[0]["bearer"]), (&json!(500), &json!("x")));
    assert_eq!(client().delete(at("faults")).send().await.unwrap().status(), 204);
    assert_eq!(fetch(&simulator, 1, "x").await.unwrap().status(), 401);
    let (url, _told) = receiver(&[200]).await;
    let push = json!({"to": url, "envelope": {"dailies": []}});
    let told: Value =
        client().post(at("push/garmin")).json(&push).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["acknowledged"], true);
    let environment: Value = client().get(at("environment")).send().await.unwrap().json().await.unwrap();
    assert_eq!(environment["STRAVA_API_BASE"], simulator.base_url.as_str());
}
