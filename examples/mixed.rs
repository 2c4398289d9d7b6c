//! REST and gRPC on one port, behind one layer that responds to each caller in its own protocol.
//!
//! `cargo run --example mixed --features axum,tonic,sqlite,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL`, `RUST_LOG` and `HEAD_SECONDS` (the timeout of the head of a request).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod support;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use support::{Failure, Keys};
use tonic::service::Routes;
use tower::Layer;
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, KeyFormat, Principal, RequireScopeLayer, Requirement,
};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:mixed.db").await?;

    let may_read = RequireScopeLayer::new(Requirement::all_of(["health.read"])?);
    let rest = Router::new()
        .route("/v1/whoami", get(whoami))
        .route("/v1/health", get(health).route_layer(may_read.clone()));
    let (mut reporter, grpc) = tonic_health::server::health_reporter();
    let authenticator = Authenticator::builder(store.clone()).build()?;
    let app = Routes::from(rest)
        .add_service(may_read.layer(grpc))
        .into_axum_router()
        .layer(AuthenticateLayer::new(authenticator).grpc());

    let mut keys = Keys::new(&store, "mixed", KeyFormat::new("demo")?);
    keys.need("key", Environment::Live, &["health.read"]).await?;
    keys.need("no_scope_key", Environment::Live, &[]).await?;
    let announced = keys.announce(&listener).await?;
    let (address, key) = (&announced.address, announced.key("key"));
    eprintln!(
        r#"REST and gRPC behind API keys. To try it:

  # 200
  curl -i -H "Authorization: Bearer {key}" {address}/v1/health
  # 401, in JSON: a REST call without a key
  curl -i {address}/v1/health
  # grpc-status 16: a gRPC call without a key
  curl -i --http2-prior-knowledge -X POST -H 'content-type: application/grpc' {address}/grpc.health.v1.Health/Check
"#
    );

    let shutdown = async move {
        shutdown.await;
        // Ends the streams of watching clients, which would otherwise keep the server from ending.
        reporter.clear_service_status("").await;
    };
    support::serve(listener, app, shutdown).await?;
    store.close().await;
    Ok(())
}

async fn whoami(principal: Principal) -> Json<Value> {
    Json(json!({ "key_id": principal.key_id().as_str() }))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "SERVING" }))
}
