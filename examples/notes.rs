//! A small axum service behind API keys that are kept in an SQLite file.
//!
//! `cargo run --example notes --features axum,sqlite,tracing`
//!
//! The address and the new keys go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL`, `RUST_LOG` and `HEAD_SECONDS` (the timeout of the head of a request).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod support;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{Failure, Keys};
use tokio::sync::RwLock;
use tower_api_key::{
    AuthenticateLayer, Authenticator, ConfigError, Environment, KeyFormat, Principal, RequireScopeLayer,
    Requirement, Scope, SqliteStore, Timestamp,
};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:notes.db").await?;
    let app = app(store.clone())?;

    let mut keys = Keys::new(&store, "notes", KeyFormat::new("demo")?);
    keys.need("reader_key", Environment::Live, &["notes.read"]).await?;
    keys.need("writer_key", Environment::Live, &["notes.read", "notes.write"]).await?;
    if let Some(record) = keys.need("expired_key", Environment::Live, &["notes.read"]).await? {
        record.expires_at = Some(Timestamp::from_unix_millis(0));
    }
    let announced = keys.announce(&listener).await?;
    let (address, reader_key) = (&announced.address, announced.key("reader_key"));
    eprintln!(
        r#"Notes behind API keys. To try it:

  # 200: the reader may read
  curl -i -H "Authorization: Bearer {reader_key}" {address}/v1/notes
  # 401: no request without a key is admitted
  curl -i {address}/v1/notes
  # 403: the reader may not write
  curl -i -H "X-API-Key: {reader_key}" -H 'Content-Type: application/json' -d '{{"text": "hello"}}' {address}/v1/notes
"#
    );

    support::serve(listener, app, shutdown).await?;
    store.close().await;
    Ok(())
}

fn app(store: SqliteStore) -> Result<Router, ConfigError> {
    let authenticator = Authenticator::builder(store).build()?;
    let may_read = RequireScopeLayer::new(Requirement::all_of(["notes.read"])?);
    let may_write = RequireScopeLayer::new(Requirement::all_of(["notes.write"])?);

    let open = Router::new().route("/health", get(|| async { "ok" }));
    let protected = Router::new()
        .route("/v1/whoami", get(whoami))
        .route("/v1/notes", get(list_notes).route_layer(may_read))
        .route("/v1/notes", post(add_note).route_layer(may_write))
        .route_layer(AuthenticateLayer::new(authenticator));

    Ok(open.merge(protected).layer(DefaultBodyLimit::max(16 * 1024)).with_state(Notes::default()))
}

async fn whoami(principal: Principal) -> Json<Value> {
    let scopes: Vec<_> = principal.scopes().iter().map(Scope::as_str).collect();
    Json(json!({
        "key_id": principal.key_id().as_str(),
        "owner": principal.owner().to_string(),
        "environment": principal.environment().label(),
        "scopes": scopes,
    }))
}

async fn list_notes(State(notes): State<Notes>) -> Json<Vec<Note>> {
    Json(notes.read().await.clone())
}

async fn add_note(
    State(notes): State<Notes>,
    principal: Principal,
    Json(NewNote { text }): Json<NewNote>,
) -> (StatusCode, Json<Note>) {
    let note = Note { text, key_id: principal.key_id().to_string() };
    let mut notes = notes.write().await;
    if notes.len() == 1000 {
        notes.remove(0);
    }
    notes.push(note.clone());
    (StatusCode::CREATED, Json(note))
}

/// The latest notes, in memory.
type Notes = Arc<RwLock<Vec<Note>>>;

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

#[derive(Clone, Serialize)]
struct Note {
    text: String,
    /// The id of the key that wrote it.
    key_id: String,
}
