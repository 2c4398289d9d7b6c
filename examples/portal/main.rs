//! A product with a login of its own, which hands its users over to the pages of this crate: customers manage their keys, the staff those
//! of all.
//!
//! `cargo run --example portal --features sqlite,console,tracing`
//!
//! The address and a ticket for each user go to stdout as one line of JSON, all other output to stderr. The environment sets `ADDR`,
//! `DATABASE_URL`, `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request) and `PUBLIC_URL` (where browsers reach the product;
//! behind TLS, such as `https://notes.example.com`).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod app;
#[path = "../support/console.rs"]
mod console;
mod login;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/serve.rs"]
mod serve;

use login::{Role, Users};
use process::{Failure, env_or};
use serde_json::json;
use tokio::net::TcpListener;
use tower_api_key::SqliteStore;
use tower_api_key::usage::Usage;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    process::log_by_default("info,tower_api_key=debug")?;
    let shutdown = process::shutdown()?;
    let listener = TcpListener::bind(env_or("ADDR", "127.0.0.1:3000")?).await?;
    let address = console::public_url(&listener)?;
    let store = SqliteStore::open(&env_or("DATABASE_URL", "sqlite:portal.db")?).await?;
    let usage = Usage::builder(store.clone()).build()?;

    let mut users = Users::default();
    let ann = users.invite("user:ann", Role::Customer { organization: "acme" })?;
    let eve = users.invite("user:eve", Role::Customer { organization: "globex" })?;
    let staff = users.invite("staff:1", Role::Staff)?;
    let app = app::app(store.clone(), usage.clone(), users, &address)?;

    process::print_line(
        &json!({ "address": address, "credentials": { "ann": ann, "eve": eve, "staff": staff } }),
    )?;
    eprintln!("Open {address} in a browser, and sign in with one of these tickets:");
    eprintln!("  a customer: {ann}\n  another customer: {eve}\n  the staff, with the keys of all: {staff}");
    serve::serve(listener, app, shutdown).await?;
    usage.flush().await?;
    store.close().await;
    Ok(())
}
