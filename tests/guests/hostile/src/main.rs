//! A guest that misbehaves on request: the last segment of the path says how.
//!
//! Promises: each way of misbehaving that the host must bound, and a few good manners to compare with. Stops at that: it
//! knows nothing of the project.

use std::convert::Infallible;
use std::hint::black_box;

use futures_lite::stream::{once, unfold};
use wasip2::http::types::Fields;
use wstd::http::body::{Body, Bytes};
use wstd::http::{Client, Error, Request, Response, StatusCode, Uri};
use wstd::time::Duration;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let behaviour = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    match behaviour.as_str() {
        "hello" => Ok(Response::builder()
            .header("content-type", "application/json")
            .body("{\"hello\":\"world\"}".to_owned().into())?),
        "echo" => Ok(Response::new(request.into_body())),
        "count" => count(request).await,
        "describe" => describe(&request),
        "environment" => Ok(Response::new(lines(std::env::vars()).into())),
        "fetch" => fetch(&request).await,
        "sleep" => {
            wstd::task::sleep(Duration::from_millis(number(&request))).await;
            Ok(Response::new("awake".to_owned().into()))
        }
        "drip" => Ok(Response::new(drip(number(&request)))),
        "again" => Ok(Response::builder().header("x-run-again", "now").body(Body::empty())?),
        "soon" => Ok(Response::builder().header("x-run-again", "soon").body(Body::empty())?),
        "short" => {
            let promised = Response::builder().header("content-length", "100");
            Ok(promised
                .body(Body::from_try_stream(once(Ok::<_, Infallible>(Bytes::from_static(b"short")))))?)
        }
        "print" => {
            let body = String::from_utf8_lossy(request.into_body().contents().await?).into_owned();
            println!("to standard output: {body}");
            eprintln!("to standard error: {body}");
            Ok(Response::new("printed".to_owned().into()))
        }
        "loop" => loop {
            black_box(());
        },
        "hog" => {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            loop {
                kept.push(black_box(vec![1; 1 << 20]));
            }
        }
        "handles" => {
            let held: Vec<Fields> = (0..number(&request)).map(|_| Fields::new()).collect();
            Ok(Response::new(held.len().to_string().into()))
        }
        "trap" => panic!("the guest panics, as asked to"),
        "deep" => Ok(Response::new(deep(1).to_string().into())),
        "trap-in-body" => {
            let chunks = |sent: u32| async move {
                assert!(sent < 2, "the guest panics in the middle of its answer, as asked to");
                Some((Ok::<_, Infallible>(Bytes::from_static(b"a piece\n")), sent + 1))
            };
            Ok(Response::new(Body::from_try_stream(unfold(0, chunks))))
        }
        "exit" => std::process::exit(3),
        "fail" => Err(Error::msg("the guest fails, as asked to")),
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty())?),
    }
}

/// Answers how many bytes came.
async fn count(request: Request<Body>) -> Result<Response<Body>, Error> {
    let mut body = request.into_body();
    let bytes = body.contents().await?.len();
    Ok(Response::new(bytes.to_string().into()))
}

/// Answers what the host told about the request: method, path with query, headers.
fn describe(request: &Request<Body>) -> Result<Response<Body>, Error> {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    Ok(Response::new(format!("{} {target}\n{}", request.method(), lines(headers)).into()))
}

/// Calls the URL in the header `x-url`, with the method of the request, its `x-authorization` and the same `x-url`, and passes
/// the answer on. An error becomes 502 with its text.
async fn fetch(request: &Request<Body>) -> Result<Response<Body>, Error> {
    let url = &request.headers()["x-url"];
    let mut outgoing =
        Request::builder().method(request.method()).uri(url.to_str()?.parse::<Uri>()?).header("x-url", url);
    if let Some(authorization) = request.headers().get("x-authorization") {
        outgoing = outgoing.header("authorization", authorization);
    }
    let body = if request.method() == "POST" { "{}" } else { "" };
    match Client::new().send(outgoing.body(Body::from(body.to_owned()))?).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            Ok(Response::builder().status(StatusCode::BAD_GATEWAY).body(format!("{error:?}").into())?)
        }
    }
}

/// A body of ten pieces with `pause` milliseconds before each.
fn drip(pause: u64) -> Body {
    let piece = move |sent: u32| async move {
        if sent == 10 {
            return None;
        }
        wstd::task::sleep(Duration::from_millis(pause)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b"drop\n")), sent + 1))
    };
    Body::from_try_stream(unfold(0, piece))
}

/// Fills the stack: the level it would stop at is never reached.
fn deep(level: u64) -> u64 {
    if black_box(level) == 0 { 0 } else { black_box(deep(level + 1)) + level }
}

/// The query, as a number.
fn number(request: &Request<Body>) -> u64 {
    request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0)
}

fn lines(pairs: impl Iterator<Item = (String, String)>) -> String {
    pairs.map(|(name, value)| format!("{name}={value}\n")).collect()
}
