//! The authentication of Memory API: sign-up, live and test keys with scopes, a code for each rejection, metered usage.
//!
//! `cargo run --example memory_api --features sqlite,console,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL`, `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request), `RATE_LIMIT`
//! (requests a minute for each key) and `PUBLIC_URL` (where browsers reach the service).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod access;
#[path = "../support/again.rs"]
mod again;
mod api_error;
mod api_keys;
mod app;
#[path = "../support/console.rs"]
mod console;
mod fields;
#[path = "../support/heaviest.rs"]
mod heaviest;
#[path = "../support/last.rs"]
mod last;
mod memories;
mod pages;
mod signup;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod usage;

use std::num::NonZeroU32;
use std::time::Duration;

use support::{Failure, Keys};
use tower_api_key::Environment;
use tower_api_key::limit::Limit;
use tower_api_key::usage::Usage;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let limit = limit()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:memory_api.db").await?;
    let usage = Usage::builder(store.clone()).build()?;
    let public = console::public_url(&listener)?;
    let app = app::app(store.clone(), usage.clone(), limit, &public)?;

    let mut keys = Keys::new(&store, "memory_api", access::format()?);
    keys.need("admin_key", Environment::Live, &["admin"]).await?;
    keys.need("test_key", Environment::Test, &["read", "write"]).await?;
    let announced = keys.announce(&listener).await?;
    let (address, admin_key, test_key) =
        (&announced.address, announced.key("admin_key"), announced.key("test_key"));
    eprintln!(
        r#"Memories behind API keys, with open sign-up. To try it:

  # 201: an organization, and its first key
  curl -i {address}/v1/signup -d '{{"name": "My Company", "email": "you@example.com"}}'
  # 201 and 200, with either header
  curl -i {address}/v1/memories -H "Authorization: Bearer {admin_key}" -d '{{"text": "The user likes pizza"}}'
  curl -i {address}/v1/memories -H "X-API-Key: {test_key}"
  # 201: a key that may only read, and ends; 403 INSUFFICIENT_PERMISSIONS without the scope for it
  curl -i {address}/v1/account/api-keys -H "X-API-Key: {admin_key}" -d '{{"name": "Analytics", "scopes": ["read"], "expires_in_days": 30}}'
  curl -i {address}/v1/account/api-keys -H "X-API-Key: {test_key}"
  # 200: the counts, delayed by some seconds
  curl -i {address}/v1/usage -H "X-API-Key: {admin_key}"
"#
    );
    eprintln!(
        "The dashboard: {public}/dashboard. Sign in with a key of the scope admin, such as that of a sign-up.\n"
    );

    let served = support::serve(listener, app, shutdown).await;
    // Counts since the last batch would be lost with the process, even if requests are still open.
    let written = usage.flush().await;
    served?;
    store.close().await;
    Ok(written?)
}

fn limit() -> Result<Limit, Failure> {
    let text = support::env_or("RATE_LIMIT", "600")?;
    let requests: NonZeroU32 =
        text.parse().map_err(|_| format!("RATE_LIMIT must be a number above zero, got {text:?}"))?;
    Ok(Limit::rate("minute", requests.get().into(), Duration::from_secs(60))?)
}
