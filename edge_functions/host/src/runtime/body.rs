//! Bodies that pass through the host, piece by piece, under limits.
//!
//! A request's body of more than its limit, or one that stands still, ends in an error that the host learns of too. An answer's
//! body whose guest failed or stood still ends in an error, so that the client's connection is cut and half an answer is never
//! taken for a whole one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body as AnyBody;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, stream};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::failure::{Failure, FirstFailure};

/// How much of a body is read before a function gets its turn: clients that send small bodies slowly hold no instance.
pub(super) const READ_AHEAD: usize = 64 << 10;

/// Fires when nothing moved for a while. Costs nothing while things move.
struct Idle {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    fn moved(&mut self) {
        self.timer = None;
    }

    fn poll(&mut self, context: &mut Context) -> Poll<()> {
        let limit = self.limit;
        self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context)
    }
}

/// The body of a request on its way to a guest.
pub(super) struct Upload {
    ahead: Bytes,
    rest: Option<AnyBody>,
    left: u64,
    idle: Idle,
    breach: Option<oneshot::Sender<Failure>>,
}

impl Upload {
    /// Reads the first [`READ_AHEAD`] bytes of `body`, which may have `limit` bytes in all and stand still for `idle`. The
    /// receiver learns of a breach that comes later.
    ///
    /// # Errors
    ///
    /// When a limit is broken already, or the client is gone.
    pub(super) async fn begin(
        body: AnyBody,
        limit: u64,
        idle: Duration,
    ) -> Result<(Self, oneshot::Receiver<Failure>), Failure> {
        if body.size_hint().lower() > limit {
            return Err(Failure::TooLarge);
        }
        let (breach, learned) = oneshot::channel();
        let mut upload = Self {
            ahead: Bytes::new(),
            rest: Some(body),
            left: limit,
            idle: Idle::new(idle),
            breach: Some(breach),
        };
        // The time for the part that is read ahead is limited as a whole: a byte now and then is no progress.
        match tokio::time::timeout_at(Instant::now() + idle, upload.read_ahead()).await {
            Ok(read) => read.map(|()| (upload, learned)),
            Err(_) => Err(Failure::SlowClient),
        }
    }

    async fn read_ahead(&mut self) -> Result<(), Failure> {
        let mut read = BytesMut::new();
        while read.len() < READ_AHEAD {
            match self.frame().await {
                None => break,
                Some(Err(Error::HttpRequestBodySize(_))) => return Err(Failure::TooLarge),
                Some(Err(_)) => return Err(Failure::SlowClient),
                Some(Ok(frame)) => match frame.into_data() {
                    // Most bodies come in one piece, which is passed on as it is.
                    Ok(data) if read.is_empty() && self.is_over() => {
                        self.ahead = data;
                        return Ok(());
                    }
                    Ok(data) => read.extend_from_slice(&data),
                    Err(_trailers) => break,
                },
            }
        }
        self.ahead = read.freeze();
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn end(&mut self, failure: Failure, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.rest = None;
        if let Some(breach) = self.breach.take() {
            // The call may be over already.
            let _ = breach.send(failure);
        }
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let upload = &mut *self;
        if !upload.ahead.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut upload.ahead)))));
        }
        let Some(rest) = &mut upload.rest else { return Poll::Ready(None) };
        match Pin::new(rest).poll_frame(context) {
            Poll::Pending => {
                ready!(upload.idle.poll(context));
                upload.end(Failure::SlowClient, Error::ConnectionReadTimeout)
            }
            Poll::Ready(None) => {
                upload.rest = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => upload.end(Failure::SlowClient, Error::ConnectionTerminated),
            Poll::Ready(Some(Ok(frame))) => {
                upload.idle.moved();
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match upload.left.checked_sub(size) {
                    Some(left) => upload.left = left,
                    None => return upload.end(Failure::TooLarge, Error::HttpRequestBodySize(None)),
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.len() as u64;
        match &self.rest {
            None => SizeHint::with_exact(ahead),
            Some(rest) => {
                let mut hint = rest.size_hint();
                hint.set_lower(hint.lower() + ahead);
                if let Some(upper) = hint.upper() {
                    hint.set_upper(upper + ahead);
                }
                hint
            }
        }
    }
}

/// A body that is all there, because its guest has come to its end: in one piece, so that the client is told its length and
/// gets it with the head.
pub(super) fn at_hand(mut body: WasiBody) -> AnyBody {
    let mut frames = Vec::new();
    // An error is passed on, so that a body that was not closed as it should be doesn't look whole.
    while let Some(Some(frame)) = body.frame().now_or_never() {
        frames.push(frame);
    }
    match frames.as_slice() {
        [] => AnyBody::empty(),
        [Ok(only)] if let Some(data) = only.data_ref() => AnyBody::from(data.clone()),
        _ => AnyBody::new(StreamBody::new(stream::iter(frames))),
    }
}

/// The body of an answer on its way to the client.
pub(super) struct Download {
    body: WasiBody,
    idle: Idle,
    first_failure: Arc<FirstFailure>,
    stop: Box<dyn Fn(Failure) + Send>,
}

impl Download {
    /// `first_failure` says whether the guest failed, `stop` ends it.
    pub(super) fn new(
        body: WasiBody,
        idle: Duration,
        first_failure: Arc<FirstFailure>,
        stop: impl Fn(Failure) + Send + 'static,
    ) -> Self {
        Self { body, idle: Idle::new(idle), first_failure, stop: Box::new(stop) }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let download = &mut *self;
        match Pin::new(&mut download.body).poll_frame(context) {
            Poll::Pending => {
                ready!(download.idle.poll(context));
                (download.stop)(Failure::Idle);
                Poll::Ready(Some(Err(Error::HttpResponseTimeout)))
            }
            // The end looks the same whether the guest closed its body or was ended before it could.
            Poll::Ready(None) if download.first_failure.get().is_some() => {
                Poll::Ready(Some(Err(Error::HttpResponseIncomplete)))
            }
            Poll::Ready(frame) => {
                download.idle.moved();
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
