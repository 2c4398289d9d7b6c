//! The authentication of Memsolus: keys in `X-Api-Key` with permissions such as `memory.read`.
//!
//! `cargo run --example memsolus --features sqlite,console,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment sets `ADDR`, `DATABASE_URL`,
//! `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request) and `PUBLIC_URL` (where browsers reach the service).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod access;
#[path = "../support/again.rs"]
mod again;
#[path = "../support/api_error.rs"]
mod api_error;
mod api_keys;
mod app;
#[path = "../support/console.rs"]
mod console;
#[path = "../support/detail.rs"]
mod errors;
#[path = "../support/last.rs"]
mod last;
mod memories;
mod pages;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/text.rs"]
mod text;

use support::{Failure, Keys};
use tower_api_key::Environment;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:memsolus.db").await?;
    let public = console::public_url(&listener)?;
    let app = app::app(store.clone(), &public)?;

    let mut keys = Keys::new(&store, "memsolus", access::format()?);
    keys.need("read_key", Environment::Live, &["memory.read"]).await?;
    keys.need("write_key", Environment::Live, &["memory.read", "memory.write"]).await?;
    keys.need("admin_key", Environment::Live, &["*"]).await?;
    let announced = keys.announce(&listener).await?;
    let address = &announced.address;
    let [read_key, write_key, admin_key] =
        ["read_key", "write_key", "admin_key"].map(|key| announced.key(key));
    eprintln!(
        r#"Memories behind API keys with permissions. To try it:

  # 200
  curl -i {address}/v1/memories -H "X-Api-Key: {read_key}"
  # 201, and 403 with the key that may only read
  curl -i {address}/v1/memories -H "X-Api-Key: {write_key}" -d '{{"content": "likes pizza"}}'
  # 200: what keys can be permitted
  curl -i {address}/v1/api-keys/permissions -H "X-Api-Key: {read_key}"
  # 201: a further key, shown once
  curl -i {address}/v1/api-keys -H "X-Api-Key: {admin_key}" -d '{{"name": "crm-integration", "permissions": ["memory.*"]}}'
"#
    );
    eprintln!("The pages for keys: {public}/settings/api-keys. Sign in with the key of the last command.\n");

    support::serve(listener, app, shutdown).await?;
    store.close().await;
    Ok(())
}
