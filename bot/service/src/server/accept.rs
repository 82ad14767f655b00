//! The accept loop: takes connections and serves the router on them.
//!
//! It replaces `axum::serve`, which has no timeout for a request's headers. It must not know the routes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at once. GitHub opens a few; the others are probes and scrapes.
const CONNECTIONS_MAX: usize = 256;

/// The pause after a failed accept: if file descriptors ran out, connections end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the server waits for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte to the end of the headers; also how long an idle connection is kept. 10 s.
    pub header: Duration,
    /// How long requests in progress may take once the service stops. 10 s.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Serves until `stop`, then lets the requests in progress end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) {
    let header = timeouts.header;
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, permit) = tokio::select! {
            () = &mut stop => break,
            next = accept(&listener, &permits) => next,
        };
        let (router, watcher) = (router.clone(), graceful.watcher());
        connections.spawn(async move {
            serve_connection(stream, router, header, watcher).await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(timeouts.shutdown, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests in progress were interrupted");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, header: Duration, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection failed");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    /// Sends the bytes to a new server and reads until the connection ends.
    async fn response_of(bytes: &str, timeouts: Timeouts) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, router, timeouts, async {
            drop(stopped.await);
        });
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            drop(stop);
            response
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn a_request_is_answered() {
        let response = response_of(
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            Timeouts::default(),
        )
        .await;
        assert!(response.ends_with("here"), "{response}");
    }

    #[tokio::test]
    async fn threat_6_headers_that_do_not_end_time_out() {
        let timeouts = Timeouts {
            header: Duration::from_millis(20),
            ..Timeouts::default()
        };
        let response = response_of("GET / HTTP/1.1\r\nhost: x\r\n", timeouts).await;
        assert!(!response.contains("here"), "{response}");
    }
}
