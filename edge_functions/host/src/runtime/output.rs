//! What a guest prints.
//!
//! Lines of standard output and error become log lines at level DEBUG, with the function and the request, at most [`MOST`] bytes
//! of a request. Secrets of the function are blacked out. Below DEBUG nothing is kept: a guest may print what people measured of
//! themselves, and only somebody who asked for it should see that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The bytes of one request that are logged; the rest is dropped.
const MOST: usize = 64 << 10;

/// Both outputs of one instance.
#[derive(Clone)]
pub(super) struct Output(Option<Arc<Log>>);

struct Log {
    function: String,
    request_id: String,
    secrets: Arc<[String]>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    line: Vec<u8>,
    bytes: usize,
}

impl Output {
    /// The output of an instance; `secrets` never show in it.
    pub(super) fn new(function: &str, request_id: &str, secrets: &Arc<[String]>) -> Self {
        Self(tracing::enabled!(tracing::Level::DEBUG).then(|| {
            Arc::new(Log {
                function: function.to_owned(),
                request_id: request_id.to_owned(),
                secrets: Arc::clone(secrets),
                seen: Mutex::default(),
            })
        }))
    }
}

impl Log {
    fn write(&self, bytes: &[u8]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = bytes.len().min(MOST.saturating_sub(seen.bytes));
        seen.bytes += bytes.len();
        for &byte in &bytes[..taken] {
            if byte == b'\n' {
                self.line(&std::mem::take(&mut seen.line));
            } else {
                seen.line.push(byte);
            }
        }
    }

    fn line(&self, bytes: &[u8]) {
        let mut line = String::from_utf8_lossy(bytes).into_owned();
        for secret in self.secrets.iter() {
            line = line.replace(secret.as_str(), "[redacted]");
        }
        tracing::debug!(function = self.function, request_id = self.request_id, "guest: {line}");
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut self.seen.get_mut().unwrap_or_else(PoisonError::into_inner).line);
        if !rest.is_empty() {
            self.line(&rest);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if let Some(log) = &self.0 {
            log.write(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
