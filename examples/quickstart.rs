//! An axum API behind keys in an SQLite file, and pages for these: creates a key, prints how to use it and a link to the pages, and serves.
//!
//! `cargo run --example quickstart --features sqlite,console`
//!
//! Each start adds one more key to `quickstart.db` in the working directory.

#![allow(clippy::print_stdout, reason = "an example writes messages to its user")]

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::{delete, get};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tower_api_key::backend::Actor;
use tower_api_key::console::{Console, Handover};
use tower_api_key::manage::{KeyManager, NewKey, Permissions};
use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, Principal, RequireScopeLayer, SqliteStore};

const PERMISSIONS: [(&str, &str); 2] = [("notes.read", "Read notes"), ("notes.write", "Clear notes")];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open("sqlite:quickstart.db").await?;
    let authenticator = Authenticator::new(store.clone());
    let keys = KeyManager::new(store, KeyFormat::new("demo")?);
    let keys = keys.with_permissions(Permissions::new().group("Notes", PERMISSIONS)?);
    let new = NewKey::for_organization("acme").scopes("notes.read".parse()?);
    let key = keys.create(new).await?.reveal(); // its text, available only now

    let listener = TcpListener::bind(env::var("ADDR").unwrap_or("127.0.0.1:3000".into())).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let pages = Console::new(keys)?.sessions(&authenticator, &format!("{address}/keys"))?.development()?;
    let app = Router::new()
        .route("/notes", get(list).layer(RequireScopeLayer::scope("notes.read")?))
        .route("/notes", delete(clear).layer(RequireScopeLayer::scope("notes.write")?))
        .layer(AuthenticateLayer::new(authenticator))
        .nest("/keys", pages.routes())
        .layer(pages.strip_cookie())
        .into_make_service_with_connect_info::<SocketAddr>();
    println!("curl -i -H 'X-API-Key: {}' {address}/notes", key.as_str());
    println!("{}", pages.link_for(Handover::operator(Actor::named("quickstart"))?).await?); // for a browser
    axum::serve(listener, app).with_graceful_shutdown(async { ctrl_c().await.expect("a signal") }).await?;
    Ok(())
}

async fn list(principal: Principal) -> String {
    format!("notes of {}\n", principal.owner())
}

async fn clear() -> &'static str {
    "cleared\n"
}
