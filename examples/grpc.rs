//! The standard gRPC health service behind API keys, with a scope for each method.
//!
//! `cargo run --example grpc --features tonic,sqlite,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL` and `RUST_LOG`.
//!
//! Any gRPC client will do. The server has no reflection, so grpcurl wants `grpc/health/v1/health.proto`, which is in
//! <https://github.com/grpc/grpc-proto>:
//!
//! ```sh
//! grpcurl -plaintext -proto grpc/health/v1/health.proto -H "authorization: Bearer $HEALTH_KEY" \
//!     127.0.0.1:3000 grpc.health.v1.Health/Check
//! ```

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

#[allow(dead_code, unused_imports, reason = "tonic serves here")]
mod support;

use std::time::Duration;

use support::{Failure, Keys};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower_api_key::rules::PathRules;
use tower_api_key::{AuthenticateLayer, Environment, KeyFormat};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:grpc.db").await?;

    // A method that is not named here is forbidden to all callers.
    let rules = PathRules::new([
        ("/grpc.health.v1.Health/Check", "health.read"),
        ("/grpc.health.v1.Health/Watch", "health.watch"),
    ])?;
    let authenticate = AuthenticateLayer::new(store.clone()).grpc().rules(rules);
    let (mut reporter, health) = tonic_health::server::health_reporter();
    // A client that stops within a head does not respond to pings.
    let pings = Some(Duration::from_secs(10));
    let server = Server::builder().http2_keepalive_interval(pings).http2_keepalive_timeout(pings);
    let server = server.layer(authenticate).add_service(health);

    let mut keys = Keys::new(&store, "grpc", KeyFormat::new("demo")?);
    keys.need("health_key", Environment::Live, &["health.read", "health.watch"]).await?;
    keys.need("no_scope_key", Environment::Live, &[]).await?;
    let announced = keys.announce(&listener).await?;
    let address = &announced.address;
    let (health_key, no_scope_key) = (announced.key("health_key"), announced.key("no_scope_key"));
    eprintln!(
        r#"gRPC behind API keys. To try it:

  call() {{ printf '\0\0\0\0\0' | curl -s --http2-prior-knowledge -D - -o /dev/null --data-binary @- \
    -H 'content-type: application/grpc' -H 'te: trailers' "$@" {address}/grpc.health.v1.Health/Check; }}

  # grpc-status 0: the key may check
  call -H "Authorization: Bearer {health_key}"
  # grpc-status 16: no request without a key is admitted
  call
  # grpc-status 7: this key may not
  call -H "Authorization: Bearer {no_scope_key}"
"#
    );

    let shutdown = async move {
        shutdown.await;
        // Ends the streams of watching clients, which would otherwise keep the server from ending.
        reporter.clear_service_status("").await;
    };
    tokio::select! {
        served = server.serve_with_incoming_shutdown(TcpIncoming::from(listener), shutdown) => served?,
        failure = support::process::overdue() => return Err(failure),
    }
    store.close().await;
    Ok(())
}
