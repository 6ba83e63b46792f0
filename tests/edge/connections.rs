//! Clients that misbehave before they have asked anything.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Setup, TEST_TIMEOUT};

const SETTINGS: &str = "[host]\nheader_s = 1\n[functions.hostile]\n";

#[tokio::test]
async fn silent_and_slow_heads_are_cut_while_others_are_served() {
    let host = Setup::new(SETTINGS).start();
    let mut silent = TcpStream::connect(host.address()).await.unwrap();
    let mut slow = TcpStream::connect(host.address()).await.unwrap();
    slow.write_all(b"GET /functions/v1/hostile/hello HTTP/1.1\r\nhos").await.unwrap();
    host.serves_on("hostile").await;
    for client in [&mut silent, &mut slow] {
        let mut answer = Vec::new();
        // The end of the stream, perhaps after a 408: not a client that waits for ever.
        let read = tokio::time::timeout(TEST_TIMEOUT, client.read_to_end(&mut answer)).await;
        read.expect("the connection is closed by the host").unwrap();
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_for_others() {
    let host = Setup::new("[functions.hostile]\n").start();
    let idle = futures_util::future::join_all((0..1_000).map(|_| TcpStream::connect(host.address()))).await;
    assert!(idle.iter().all(Result::is_ok));
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_room_comes_back() {
    let host = Setup::new("[host]\nmax_connections = 2\n[functions.hostile]\n").start();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(host.address()).await.unwrap();
        client.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        // Once it has answered, the connection is counted.
        client.read_u8().await.unwrap();
        held.push(client);
    }
    let mut third = TcpStream::connect(host.address()).await.unwrap();
    let mut answer = Vec::new();
    let _ = third.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // Closed or reset, but not answered.
    let _ = third.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    drop(held);
    let mut again = 0;
    while reqwest_like(host.address()).await.is_none() {
        again += 1;
        assert!(again < 1_000, "the room doesn't come back");
        tokio::task::yield_now().await;
    }
}

async fn reqwest_like(address: &str) -> Option<u8> {
    let mut client = TcpStream::connect(address).await.ok()?;
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.ok()?;
    client.read_u8().await.ok()
}

#[tokio::test]
async fn nonsense_is_answered_400_and_long_heads_431() {
    let host = Setup::new("[functions.hostile]\n").start();
    let say = async |text: &[u8]| {
        let mut client = TcpStream::connect(host.address()).await.unwrap();
        let _ = client.write_all(text).await;
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).chars().take(12).collect::<String>()
    };
    assert_eq!(say(b"nonsense\r\n\r\n").await, "HTTP/1.1 400");
    assert_eq!(say(b"GET /functions/v1/hostile/hello HTTP/1.1\r\n\r\n").await, "HTTP/1.1 400");
    assert_eq!(say(b"GET /functions/v1/hostile/hello HTTP/1.1\r\nhost: \xff\r\n\r\n").await, "HTTP/1.1 400");
    let long = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 1 << 20], b"\r\n\r\n"].concat();
    // The connection is closed with most of the head unread, which can cost the client the answer.
    assert!(["HTTP/1.1 431", ""].contains(&say(&long).await.as_str()));
    host.serves_on("hostile").await;
}
