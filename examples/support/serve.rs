//! Serves HTTP/1 and HTTP/2 with a timeout for the head of a request, which `axum::serve` lacks.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::body::{Body, Incoming};
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::Service;

use super::process::{Failure, overdue, seconds_or};

/// Returns the timeout of a head: `HEAD_SECONDS`, or 10 s.
pub(crate) fn head() -> Result<Duration, Failure> {
    seconds_or("HEAD_SECONDS", 10)
}

/// Serves until `shutdown`, and then until open requests end; it is an error if these are [`overdue`]. Closes connections on which a head takes
/// longer than [`head`], and connections that are idle for longer.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let head = head()?;
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(head);
    // A client that stops within a head does not respond to pings.
    server.http2().timer(TokioTimer::new()).keep_alive_interval(head).keep_alive_timeout(head);
    let (connections, service) = (GracefulShutdown::new(), TowerToHyperService::new(service));
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, client) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut shutdown => break,
        };
        let (service, was_asked) = (service.clone(), Arc::new(AtomicBool::new(false)));
        let note = Arc::clone(&was_asked);
        let noting = service_fn(move |mut request: Request<Incoming>| {
            note.store(true, Ordering::Relaxed);
            // As `axum::serve` with `into_make_service_with_connect_info`.
            request.extensions_mut().insert(ConnectInfo(client));
            service.call(request)
        });
        let connection = server.serve_connection(TokioIo::new(stream), noting).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // The timeout of hyper starts when it has detected the HTTP version, for which it waits without a bound.
            let ended = match timeout(head, &mut connection).await {
                Err(_) if !was_asked.load(Ordering::Relaxed) => Err("no request in time".into()),
                Err(_) => connection.await,
                Ok(ended) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => Ok(()),
        failure = overdue() => Err(failure),
    }
}

#[allow(clippy::disallowed_methods, reason = "a server may wait, tests may not")]
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // An error of one client, or too many clients, must not end the server.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
