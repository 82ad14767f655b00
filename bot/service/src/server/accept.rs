//! The accept loop: connections in, answers out, nothing more.
//!
//! Our own instead of `axum::serve`, which waits for a request's headers for ever. It must not know the routes.

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

/// Connections at once. GitHub opens a few; the rest are pages.
const CONNECTIONS_MAX: usize = 256;

/// Out of file descriptors, say: connections end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the loop waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first byte to the end of the headers; also how long an idle connection is kept. 10 s.
    pub header: Duration,
    /// How long requests under way may take once the service stops. 10 s.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            farewell: Duration::from_secs(10),
        }
    }
}

/// Serves until `stop`, then lets the requests under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let header = patience.header;
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, seat) = tokio::select! {
            () = &mut stop => break,
            next = accept(&listener, &seats) => next,
        };
        let (router, watcher) = (router.clone(), graceful.watcher());
        connections.spawn(async move {
            speak(stream, router, header, watcher).await;
            drop(seat);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(patience.farewell, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests under way were cut off");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let seat = Arc::clone(seats)
        .acquire_owned()
        .await
        .expect("nobody closes the seats");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, seat),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn speak(stream: TcpStream, router: Router, header: Duration, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    /// Says the bytes to a fresh server and reads what comes until the connection ends.
    async fn response_of(bytes: &str, patience: Patience) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, router, patience, async {
            drop(stopped.await);
        });
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            drop(stop);
            answer
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn a_request_is_answered() {
        let answer = response_of(
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            Patience::default(),
        )
        .await;
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn threat_6_headers_that_do_not_end_are_given_up() {
        let patience = Patience {
            header: Duration::from_millis(20),
            ..Patience::default()
        };
        let answer = response_of("GET / HTTP/1.1\r\nhost: x\r\n", patience).await;
        assert!(!answer.contains("here"), "{answer}");
    }
}
