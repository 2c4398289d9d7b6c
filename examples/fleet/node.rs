//! A node: a server with its own connections to the database, its own cache and its own health.

use std::io::Read;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::{KeyManager, ManageSettings, Permissions, routes};
use tower_api_key::{
    AuthenticateLayer, Authenticator, ConfigError, PostgresStore, Principal, Requirement, Source,
};

use crate::counted::{Counted, Reads};
use crate::fleet::NAMES;
use crate::process::{self, Failure};
use crate::serve::serve;
use crate::{console, keys, open_store};

/// Serves until a signal, or until the parent process has ended.
pub(crate) async fn run(name: &str) -> Result<(), Failure> {
    let shutdown = process::shutdown()?;
    let store = open_store().await?;
    let reads = Reads::default();
    let authenticator = Authenticator::builder(Counted::new(store.clone(), reads.clone())).build()?;
    // Before it listens, so that the node follows changes from the first request on.
    authenticator.start().await?;
    let listener = TcpListener::bind(process::env_or("ADDR", "127.0.0.1:0")?).await;
    let listener = listener.map_err(|error| format!("ADDR: {name} cannot listen: {error}"))?;
    let address = format!("http://{}", listener.local_addr()?);
    let app = app(name, &store, &address, Node { name: name.into(), authenticator, reads })?;
    process::print_line(&json!({ "address": address }))?;
    let orphaned = orphaned();
    let end = async {
        tokio::select! {
            () = shutdown => {}
            _ = orphaned => {}
        }
    };
    serve(listener, app, end).await?;
    store.close().await;
    Ok(())
}

/// The state of the routes.
#[derive(Clone)]
struct Node {
    name: String,
    authenticator: Authenticator,
    reads: Reads,
}

fn app(name: &str, store: &PostgresStore, address: &str, node: Node) -> Result<Router, ConfigError> {
    let pages = pages(store, address, &node.authenticator)?;
    let mut protected = Router::new().route("/v1/whoami", get(whoami));
    if name == NAMES[0] {
        let manage = Requirement::all_of([keys::MANAGE])?;
        let manager = KeyManager::new(store.clone(), keys::format()?);
        protected =
            protected.nest_service("/admin", routes(manager, ManageSettings::new(manage.clone(), manage)));
    }
    let protected = protected.layer(AuthenticateLayer::new(node.authenticator.clone()));
    Ok(Router::new()
        .route("/health", get(health))
        .merge(protected)
        .with_state(node)
        .nest("/console", pages.routes())
        .layer(pages.strip_cookie()))
}

/// Returns the pages, to which the key that manages keys opens those of all owners.
fn pages(
    store: &PostgresStore,
    address: &str,
    authenticator: &Authenticator,
) -> Result<Sessions<PostgresStore>, ConfigError> {
    let permissions = Permissions::new().group("Fleet", [(keys::MANAGE, "Manage keys")])?;
    let manager = KeyManager::for_authenticator(authenticator, store.clone(), keys::format()?)?;
    let pages = Console::new(manager.with_permissions(permissions))?.name("Fleet")?;
    let pages = pages.example(format!("{address}/v1/whoami"), Source::bearer())?;
    let pages = console::at(pages, authenticator, &format!("{address}/console"))?;
    Ok(pages.pasted_keys().operators(keys::ORGANIZATION, Requirement::all_of([keys::MANAGE])?))
}

async fn whoami(State(node): State<Node>, principal: Principal) -> Json<Value> {
    Json(json!({ "node": node.name, "key_id": principal.key_id().as_str() }))
}

/// For the readiness probe of a load balancer.
async fn health(State(node): State<Node>) -> (StatusCode, Json<Value>) {
    let health = node.authenticator.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let feed = health.feed.map(|feed| {
        json!({
            "lag_ms": feed.lag.map(|lag| lag.as_millis()),
            "lease_remaining_ms": feed.lease_remaining.as_millis(),
            "is_listening": feed.is_listening,
        })
    });
    let body = json!({
        "node": node.name,
        "is_circuit_open": health.is_circuit_open,
        "is_store_answering": health.is_store_answering,
        "is_cache_trusted": health.is_cache_trusted,
        "feed": feed,
        "reads": node.reads.count(),
    });
    (status, Json(body))
}

/// Completes when the other end of the standard input is closed.
fn orphaned() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    // A thread, not a task: the runtime would wait forever for its read.
    std::thread::spawn(move || {
        // By its end or by an error, the parent process is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    told
}
