//! A product with a login of its own: members sign in with a session, and manage the keys of their organization; programs call the API by these.
//!
//! `cargo run --example saas --features sqlite,routes,tracing`
//!
//! The address and a ticket for each member go to stdout as one line of JSON, all other output to stderr. The environment sets `ADDR`,
//! `DATABASE_URL`, `RUST_LOG` and `HEAD_SECONDS` (the timeout of the head of a request).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod app;
mod login;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/serve.rs"]
mod serve;

use login::{Member, Members, Role};
use process::{Failure, env_or};
use serde_json::json;
use tokio::net::TcpListener;
use tower_api_key::SqliteStore;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    process::log_by_default("info,tower_api_key=debug")?;
    let shutdown = process::shutdown()?;
    let listener = TcpListener::bind(env_or("ADDR", "127.0.0.1:3000")?).await?;
    let store = SqliteStore::open(&env_or("DATABASE_URL", "sqlite:saas.db")?).await?;

    let members = Members::default();
    let ann = members.invite(Member::new("user:ann", "acme", Role::Admin))?;
    let bob = members.invite(Member::new("user:bob", "acme", Role::Viewer))?;
    let eve = members.invite(Member::new("user:eve", "globex", Role::Admin))?;
    let app = app::app(store.clone(), members)?;

    let address = format!("http://{}", listener.local_addr()?);
    let tickets = json!({ "ann": ann, "bob": bob, "eve": eve });
    process::print_line(&json!({ "address": address, "credentials": tickets }))?;
    eprintln!(
        r#"Members who manage the keys of their organization. To try it:

  # 204: sign in as the administrator of acme
  curl -i -c cookies {address}/login -d {ann}
  # 201: a key for a program, shown once
  curl -i -b cookies {address}/account/api-keys/keys -d '{{"name": "CI", "scopes": ["notes.read"]}}'
  # 403: a change that a page of another site sends
  curl -i -b cookies {address}/account/api-keys/keys -H "Origin: https://elsewhere.example" -d '{{"name": "CI"}}'
  # 401: a session is no key
  curl -i -b cookies {address}/api/notes

"#
    );
    serve::serve(listener, app, shutdown).await?;
    store.close().await;
    Ok(())
}
