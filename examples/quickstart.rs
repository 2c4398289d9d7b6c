//! An axum API behind keys in an SQLite file: creates a key, prints how to use it, and serves.
//!
//! `cargo run --example quickstart --features axum,sqlite`
//!
//! Each start adds one more key to `quickstart.db` in the working directory.

#![allow(clippy::print_stdout, reason = "an example writes messages to its user")]

use std::env;
use std::error::Error;

use axum::Router;
use axum::routing::{delete, get};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::{AuthenticateLayer, KeyFormat, Principal, RequireScopeLayer, SqliteStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open("sqlite:quickstart.db").await?;
    let keys = KeyManager::new(store.clone(), KeyFormat::new("demo")?);
    let new = NewKey::for_organization("acme").scopes("notes.read".parse()?);
    let key = keys.create(new).await?.reveal(); // its text, available only now

    let app = Router::new()
        .route("/notes", get(list).layer(RequireScopeLayer::scope("notes.read")?))
        .route("/notes", delete(clear).layer(RequireScopeLayer::scope("notes.write")?))
        .layer(AuthenticateLayer::new(store));
    let listener = TcpListener::bind(env::var("ADDR").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("curl -i -H 'X-API-Key: {}' http://{}/notes", key.as_str(), listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { ctrl_c().await.expect("a signal") }).await?;
    Ok(())
}

async fn list(principal: Principal) -> String {
    format!("notes of {}\n", principal.owner())
}

async fn clear() -> &'static str {
    "cleared\n"
}
