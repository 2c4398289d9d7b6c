//! A plain hyper service behind API keys: no framework.
//!
//! `cargo run --example hyper --features sqlite,tracing`
//!
//! The address and the keys that were made go to stdout as one line of JSON, everything else to stderr. The environment
//! sets `ADDR`, `DATABASE_URL` and `RUST_LOG`.

#![allow(clippy::print_stderr, reason = "an example talks to whoever started it")]

mod support;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use support::{Failure, Keys};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower_api_key::{AuthenticateLayer, Authenticator, Environment, KeyFormat, Principal};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:hyper.db").await?;

    let authenticator = Authenticator::builder(store.clone()).build()?;
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator)).service_fn(hello);

    let mut keys = Keys::new(&store, "hyper", KeyFormat::new("demo")?);
    keys.need("key", Environment::Live, &[]).await?;
    let announced = keys.announce(&listener).await?;
    let (address, key) = (&announced.address, announced.key("key"));
    eprintln!(
        r#"A greeting behind API keys. To try it:

  # 200: the key is good
  curl -i -H "Authorization: Bearer {key}" {address}
  # 401: without a key there is no greeting
  curl -i {address}
  # 400: which of the two is meant?
  curl -i -H "Authorization: Bearer {key}" -H "X-API-Key: {key}" {address}
"#
    );

    serve(listener, TowerToHyperService::new(service), shutdown).await;
    store.close().await;
    Ok(())
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // OK because the layer lets no request pass without one.
    let principal = request.extensions().get::<Principal>().expect("a principal");
    Ok(Response::new(format!("hello {}\n", principal.key_id()).into()))
}

/// Serves HTTP/1 and HTTP/2 until `shutdown`, and then what is under way.
async fn serve<S>(listener: TcpListener, service: S, shutdown: impl Future<Output = ()>)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    // With a timer, hyper ends connections that take too long to send their headers.
    server.http1().timer(TokioTimer::new());
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut shutdown => break,
        };
        let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

#[allow(clippy::disallowed_methods, reason = "a server may wait, tests may not")]
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // One client, or too many of them, must not end the server.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
