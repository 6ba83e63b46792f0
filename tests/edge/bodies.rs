//! Bodies in both directions: whole, in pieces, too large, too slow.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Setup;

const MB: usize = 1 << 20;
const SETTINGS: &str = "[functions.hostile]\nbody_mb = 2\nidle_s = 1\n[functions.large]\nbody_mb = 100\n";

/// A body whose length is not told beforehand.
fn chunked(bytes: usize) -> reqwest::Body {
    let piece = Bytes::from(vec![7; 64 << 10]);
    let pieces = (0..bytes.div_ceil(piece.len())).map(move |index| {
        let left = bytes - index * piece.len();
        Ok::<_, Infallible>(piece.slice(..left.min(piece.len())))
    });
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

#[tokio::test]
async fn a_body_comes_back_as_it_went() {
    let host = Setup::new(SETTINGS).start();
    for size in [0, 1, 1000, 64 << 10, (64 << 10) + 1, 2 * MB] {
        let sent: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        assert!(host.post("hostile/echo", sent.clone()).await.bytes().await.unwrap() == sent, "{size} bytes");
        let count = host.post("hostile/count", chunked(size)).await;
        assert_eq!(count.text().await.unwrap(), size.to_string());
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_its_length_is_told_or_not() {
    let host = Setup::new(SETTINGS).start();
    assert_eq!(host.post("hostile/count", vec![0; 2 * MB + 1]).await.status(), 413);
    for behaviour in ["count", "echo", "hello", "sleep?100"] {
        let answer = host.post(&format!("hostile/{behaviour}"), chunked(2 * MB + 1)).await;
        // A function that never looks at the body can answer before it has come.
        assert!(answer.status() == 413 || behaviour != "count", "{behaviour}: {}", answer.status());
    }
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn a_function_may_take_a_hundred_megabytes_where_its_settings_say_so() {
    let host = Setup::new(SETTINGS).start();
    let settings = host.post("large/echo", chunked(100 * MB)).await;
    let mut pieces = settings.bytes_stream();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        bytes += piece.unwrap().len();
    }
    assert_eq!(bytes, 100 * MB);
    assert_eq!(
        host.post("large/echo", chunked(100 * MB + 1)).await.bytes().await.ok().map(|b| b.len()),
        None
    );
}

#[tokio::test]
async fn an_answer_shorter_than_it_promised_does_not_look_whole() {
    let host = Setup::new(SETTINGS).start();
    if let Ok(answer) = host.request(reqwest::Method::GET, "/functions/v1/hostile/short").send().await {
        assert!(answer.status() != 200 || answer.bytes().await.is_err());
    }
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn an_answer_streams_while_it_is_made() {
    let host = Setup::new(SETTINGS).start();
    let mut pieces = host.get("hostile/drip?200").await.bytes_stream();
    // The first piece is here before the last is made: the host keeps none back.
    assert_eq!(pieces.next().await.unwrap().unwrap(), "drop\n");
    assert_eq!(host.figure("welltrack_edge_instances{function=\"hostile\"}").await, Some(1.0));
    assert_eq!(pieces.count().await, 9);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_408_and_holds_no_instance() {
    let host = Setup::new(SETTINGS).start();
    let mut slow = TcpStream::connect(host.address()).await.unwrap();
    slow.write_all(b"POST /functions/v1/hostile/count HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc")
        .await
        .unwrap();
    host.serves_on("hostile").await;
    assert_eq!(host.figure("welltrack_edge_instances{function=\"hostile\"}").await, Some(0.0));
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_large_body_that_stops_coming_is_408_and_ends_its_instance() {
    let host = Setup::new(SETTINGS).start();
    let mut slow = TcpStream::connect(host.address()).await.unwrap();
    slow.write_all(
        b"POST /functions/v1/hostile/count HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
    )
    .await
    .unwrap();
    slow.write_all(&vec![b'x'; 200_000]).await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    host.logged(|line| line.contains("client_too_slow"));
}

#[tokio::test]
async fn a_client_that_has_closed_its_half_still_gets_its_answer() {
    let host = Setup::new(SETTINGS).start();
    let mut client = TcpStream::connect(host.address()).await.unwrap();
    client
        .write_all(b"GET /functions/v1/hostile/sleep?300 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("awake"), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_cut_the_function_off() {
    let host = Setup::new(SETTINGS).start();
    let gone = host.get("hostile/sleep?1000");
    assert!(tokio::time::timeout(Duration::from_millis(300), gone).await.is_err());
    // The call is counted when it is over, which it would never be.
    while host.figure("welltrack_edge_requests_total{function=\"hostile\",status=\"200\"}").await.is_none()
        && host.figure("welltrack_edge_instances{function=\"hostile\"}").await != Some(0.0)
    {
        tokio::task::yield_now().await;
    }
    assert!(!host.log().iter().any(|line| line.contains("a call failed")), "{:?}", host.log());
}
