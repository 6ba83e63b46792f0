//! Connections, and how they end.
//!
//! The host speaks HTTP/1.1 to clients up to a limit. A client that sends its head too slowly, or nothing, is cut. When told to
//! stop, the host finishes what runs and tells whoever comes that it is stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::linger::{Lingering, Noted, Unread};
use crate::metrics::{InUse, Metrics};
use crate::settings;

/// What a head of a request may have at most, in bytes; longer ones are answered 431.
const HEAD: usize = 64 << 10;

/// Accepts and serves connections.
pub(crate) struct Server {
    listener: TcpListener,
    router: Router,
    http: http1::Builder,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Server {
    /// A server on `listener`.
    pub(crate) fn new(
        listener: TcpListener,
        router: Router,
        settings: &settings::Host,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(settings.header_s.0))
            .max_buf_size(HEAD)
            .half_close(true);
        let room = usize::try_from(settings.max_connections.0).unwrap_or(Semaphore::MAX_PERMITS);
        Self { listener, router, http, room: Arc::new(Semaphore::new(room)), metrics }
    }

    /// Serves until `stop`. The router turns people away from then on, which new connections are told as long as `last` is not
    /// over; those that were open are closed after what they are at.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>, last: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let accept = async {
            loop {
                self.welcome(self.listener.accept().await, Some(graceful.watcher())).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = accept => {}
        }
        let turn_away = async {
            loop {
                self.welcome(self.listener.accept().await, None).await;
            }
        };
        let finished = async { tokio::join!(graceful.shutdown(), last) };
        tokio::select! {
            _ = finished => {}
            () = turn_away => {}
        }
    }

    async fn welcome(&self, accepted: std::io::Result<(TcpStream, SocketAddr)>, watcher: Option<Watcher>) {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most of all: they come back as connections end.
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                return;
            }
        };
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return };
        // Without it, small answers wait for the client's acknowledgement of what came before.
        let _ = stream.set_nodelay(true);
        let open = InUse::of(&self.metrics.connections);
        let router = self.router.clone();
        let unread = Unread::default();
        let stream = TokioIo::new(Lingering::new(stream, unread.clone()));
        let service = TowerToHyperService::new(tower::service_fn(move |request: http::Request<Incoming>| {
            let request = request.map(|body| axum::body::Body::new(Noted::new(body, unread.clone())));
            tower::ServiceExt::oneshot(router.clone(), request)
        }));
        let connection = self.http.serve_connection(stream, service);
        tokio::spawn(async move {
            let ended = match watcher {
                Some(watcher) => watcher.watch(connection).await,
                None => connection.await,
            };
            if let Err(error) = ended {
                // Clients go away all the time.
                tracing::debug!(%error, "a connection ended early");
            }
            drop((room, open));
        });
    }
}
