//! A plain hyper service behind API keys: no framework. `support/serve.rs` drives hyper.
//!
//! `cargo run --example hyper --features sqlite,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL`, `RUST_LOG` and `HEAD_SECONDS` (the timeout of the head of a request).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod support;

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use support::{Failure, Keys};
use tower::ServiceBuilder;
use tower_api_key::{AuthenticateLayer, Environment, KeyFormat, Principal};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:hyper.db").await?;

    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(store.clone())).service_fn(hello);

    let mut keys = Keys::new(&store, "hyper", KeyFormat::new("demo")?);
    keys.need("key", Environment::Live, &[]).await?;
    let announced = keys.announce(&listener).await?;
    let (address, key) = (&announced.address, announced.key("key"));
    eprintln!(
        r#"A greeting behind API keys. To try it:

  # 200: the key is good
  curl -i -H "Authorization: Bearer {key}" {address}
  # 401: without a key
  curl -i {address}
  # 400: which of the two is meant?
  curl -i -H "Authorization: Bearer {key}" -H "X-API-Key: {key}" {address}
"#
    );

    support::serve(listener, service, shutdown).await?;
    store.close().await;
    Ok(())
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // OK because the layer passes no request without one.
    let principal = request.extensions().get::<Principal>().expect("a principal");
    Ok(Response::new(format!("hello {}\n", principal.key_id()).into()))
}
