//! The last words to a client that is still talking.
//!
//! A client whose request is answered before its body has come (413, 503, a function that didn't read) gets to read that answer.
//! A socket that is closed with bytes in it unread is reset, and a reset throws away what the client has not read yet. So the
//! host says that it is done, and hears the client out for a while.
//!
//! Source: RFC 9112, section 9.6.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long a client is heard out that has its answer: long enough for what was under way, no longer for who sends without end.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a request on this connection was left before its end.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<AtomicBool>);

/// A body that notes when it is left before its end.
pub(crate) struct Noted {
    body: Incoming,
    unread: Unread,
}

impl Noted {
    /// `body`, of a request on the connection that `unread` is about.
    pub(crate) fn new(body: Incoming, unread: Unread) -> Self {
        Self { body, unread }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.unread.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Body for Noted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client's connection.
pub(crate) struct Lingering {
    stream: TcpStream,
    unread: Unread,
    until: Option<Pin<Box<Sleep>>>,
}

impl Lingering {
    /// `stream`, whose requests note in `unread` when they are left.
    pub(crate) fn new(stream: TcpStream, unread: Unread) -> Self {
        Self { stream, unread, until: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let connection = &mut *self;
        if connection.until.is_none() {
            ready!(Pin::new(&mut connection.stream).poll_shutdown(context))?;
            if !connection.unread.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let until = connection.until.get_or_insert_with(|| Box::pin(sleep(LINGER_TIMEOUT)));
        let mut room = [0; 16 << 10];
        loop {
            if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut waste = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut connection.stream).poll_read(context, &mut waste)) {
                Ok(()) if !waste.filled().is_empty() => {}
                // The client is done, or gone.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
