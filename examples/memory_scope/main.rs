//! The authentication of Memory Scope: keys in `X-API-Key`, one environment, one response to all invalid keys, limits and usage by key.
//!
//! `cargo run --example memory_scope --features sqlite,console,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment sets `ADDR`, `DATABASE_URL`,
//! `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request), `ENVIRONMENT` (test or live: the environment of admitted keys),
//! `RATE_LIMIT` (requests a minute for each key) and `PUBLIC_URL` (where browsers reach the service).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod access;
#[path = "../support/api_error.rs"]
mod api_error;
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

use std::num::NonZeroU32;
use std::time::Duration;

use support::{Failure, Keys};
use tower_api_key::limit::Limit;
use tower_api_key::usage::Usage;
use tower_api_key::{Environment, Timestamp};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let (environment, limit) = (environment()?, limit()?);
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:memory_scope.db").await?;
    let usage = Usage::builder(store.clone()).build()?;
    let public = console::public_url(&listener)?;
    let app = app::app(store.clone(), environment, usage.clone(), limit, &public)?;

    let mut keys = Keys::new(&store, "memory_scope", access::format()?);
    keys.need("test_key", Environment::Test, &["console"]).await?;
    keys.need("live_key", Environment::Live, &["console"]).await?;
    if let Some(record) = keys.need("expired_key", environment, &[]).await? {
        record.expires_at = Some(Timestamp::from_unix_millis(0));
    }
    let announced = keys.announce(&listener).await?;
    let (address, test_key, live_key) =
        (&announced.address, announced.key("test_key"), announced.key("live_key"));
    let (own, other) = match environment {
        Environment::Live => (live_key, test_key),
        _ => (test_key, live_key),
    };
    eprintln!(
        r#"Memories behind API keys, for those of the environment {environment}. To try it:

  # 201 with a key of this environment, 401 with one of the other
  curl -i {address}/memory -H "X-API-Key: {own}" -d '{{"user_id": "user123", "scope": "preferences", "source": "explicit_user_input", "value_json": {{"likes": ["pizza"]}}}}'
  curl -i {address}/memory/mem_1 -H "X-API-Key: {other}"
  # 401: without a key the answer is the same
  curl -i {address}/memory/mem_1
  # 201: a key for a colleague, shown once
  curl -i {address}/console/keys -H "X-API-Key: {own}" -d '{{"name": "Development Key", "expires_at": "2100-01-01T00:00:00Z"}}'
  # 200: how often each key was used, up to some seconds ago
  curl -i "{address}/console/usage?by=key" -H "X-API-Key: {own}"
"#
    );
    eprintln!("The developer console: {public}/developer. Sign in with the key of the first command.\n");

    let served = support::serve(listener, app, shutdown).await;
    // Counts since the last batch would be lost with the process, even if requests are still open.
    let written = usage.flush().await;
    served?;
    store.close().await;
    Ok(written?)
}

fn environment() -> Result<Environment, Failure> {
    let label = support::env_or("ENVIRONMENT", "test")?;
    let environment = label.parse();
    environment.map_err(|_| format!("ENVIRONMENT must be test or live, got {label:?}").into())
}

fn limit() -> Result<Limit, Failure> {
    let text = support::env_or("RATE_LIMIT", "60")?;
    let requests: NonZeroU32 =
        text.parse().map_err(|_| format!("RATE_LIMIT must be a number above zero, got {text:?}"))?;
    Ok(Limit::rate("minute", requests.get().into(), Duration::from_secs(60))?)
}
