//! Load over HTTP/1.1: clients that each keep one connection and send the next request when the last is answered, or as a clock says.
//!
//! Promises: requests are made before the clock starts, and reading an answer costs little more than the system calls, since both
//! sides of a comparison share the machine with this; an answer other than 200 is an error. Stops at what the two servers send.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::measure::percentile;

/// How long a client waits for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What came of it.
pub(super) struct Outcome {
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// Of each request, in order of size.
    pub(super) latencies: Vec<Duration>,
}

impl Outcome {
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    pub(super) fn quantile(&mut self, share: f64) -> Duration {
        percentile(&mut self.latencies, share)
    }
}

/// The bytes of a POST.
pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// `clients` send these requests between them, each as fast as it is answered.
pub(super) fn closed(port: u16, clients: usize, requests: &[Vec<u8>]) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    drive(port, clients, || {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        Some((Instant::now(), requests.get(turn)?))
    })
}

/// `clients` send these requests between them, `per_second` of them whatever the answers do: the time that a late one waited for its
/// turn is part of its latency.
pub(super) fn paced(port: u16, clients: usize, per_second: f64, requests: &[Vec<u8>]) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    drive(port, clients, || {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let request = requests.get(turn)?;
        let due = start + Duration::from_secs_f64(turn as f64 / per_second);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        Some((due, request))
    })
}

fn drive<'a>(
    port: u16,
    clients: usize,
    next: impl Fn() -> Option<(Instant, &'a Vec<u8>)> + Sync,
) -> Result<Outcome> {
    let mut connections = (0..clients).map(|_| Connection::open(port)).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let latencies = thread::scope(|scope| {
        let running: Vec<_> = connections
            .iter_mut()
            .map(|connection| {
                let next = &next;
                scope.spawn(move || -> Result<Vec<Duration>> {
                    let mut latencies = Vec::new();
                    while let Some((since, request)) = next() {
                        connection.ask(request)?;
                        latencies.push(since.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut all = Vec::new();
        for client in running {
            all.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    Ok(Outcome { took: start.elapsed(), latencies })
}

/// One kept connection.
pub(super) struct Connection {
    answers: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("nobody listens")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { answers: BufReader::new(stream), line: String::new(), body: Vec::new() })
    }

    /// Sends a request and reads its answer, which must be 200.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<()> {
        let status = self.status_of(request)?;
        ensure!(status == 200, "answered {status}: {}", String::from_utf8_lossy(&self.body));
        Ok(())
    }

    /// Sends a request and reads its answer; its status.
    pub(super) fn status_of(&mut self, request: &[u8]) -> Result<u16> {
        self.answers.get_mut().write_all(request)?;
        self.body.clear();
        let (mut status, mut length, mut chunked) = (None, None, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            match (status, line.split_once(": ")) {
                (None, _) => status = Some(line.split(' ').nth(1).unwrap_or_default().parse()?),
                (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.parse()?);
                }
                (_, Some((name, _))) if name.eq_ignore_ascii_case("transfer-encoding") => chunked = true,
                _ => {}
            }
        }
        if let Some(length) = length {
            self.read(length)?;
        } else if chunked {
            loop {
                let size = usize::from_str_radix(self.line()?, 16)?;
                self.read(size)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        }
        status.context("an answer without a status")
    }

    fn line(&mut self) -> Result<&str> {
        self.line.clear();
        ensure!(self.answers.read_line(&mut self.line)? > 0, "the connection was closed");
        Ok(self.line.trim_end())
    }

    fn read(&mut self, length: usize) -> Result<()> {
        let start = self.body.len();
        self.body.resize(start + length, 0);
        Ok(self.answers.read_exact(&mut self.body[start..])?)
    }
}
