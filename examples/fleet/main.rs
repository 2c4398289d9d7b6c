//! Three nodes on one PostgreSQL: the first revokes a key while clients send requests to all nodes.
//!
//! `DATABASE_URL=postgres://… cargo run --example fleet --features postgres,console,tracing`
//!
//! Each node is a process of its own, with its own connections, which this process starts and ends: nodes within one process
//! would receive each other's changes without the database. Tables whose names start with `tower_api_key` are added to the database,
//! and two keys that work for a day.
//!
//! The addresses and the keys go to stdout as one line of JSON, all other output to stderr, including a table of the times
//! at which each node last admitted and first rejected the key. The environment sets `DATABASE_URL`, `ADDR` (of the first
//! node; further nodes use the next ports), `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request), and
//! `ONCE` (to anything) to end after the table.

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod client;
#[path = "../support/console.rs"]
#[allow(dead_code, reason = "each node has an address of its own")]
mod console;
mod counted;
mod fleet;
mod keys;
mod node;
#[path = "../support/process.rs"]
mod process;
mod report;
#[path = "../support/serve.rs"]
mod serve;
mod watch;

use std::error::Error;

use fleet::Fleet;
use keys::Keys;
use process::Failure;
use serde_json::{Map, json};
use tower_api_key::PostgresStore;

/// The environment variable that names a node; a process that has it runs as that node.
const NODE: &str = "FLEET_NODE";

const NO_DATABASE: &str =
    "DATABASE_URL: must be the URL of a PostgreSQL database, got none. To try it with a server of its own:

  docker run --rm --detach --publish 5432:5432 --env POSTGRES_PASSWORD=fleet postgres:17
  export DATABASE_URL=postgres://postgres:fleet@127.0.0.1/postgres

or, in the repository of the crate, with a server that `.ci/postgres` starts and ends:

  .ci/postgres sh -c 'DATABASE_URL=$TEST_POSTGRES_URL cargo run --example fleet --all-features'
";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // Without the admissions and rejections, of which thousands occur.
    process::log_by_default("warn")?;
    match process::env_or(NODE, "")?.as_str() {
        "" => lead().await,
        name => node::run(name).await,
    }
}

/// Opens the database at `DATABASE_URL`.
async fn open_store() -> Result<PostgresStore, Failure> {
    let url = process::env_or("DATABASE_URL", "")?;
    if url.is_empty() {
        return Err(NO_DATABASE.into());
    }
    // The URL is not shown: it may contain a password.
    Ok(PostgresStore::open(&url).await.map_err(|error| format!("DATABASE_URL: {error}"))?)
}

/// Starts the nodes, demonstrates a revocation, and serves until a signal.
async fn lead() -> Result<(), Failure> {
    let mut shutdown = std::pin::pin!(process::shutdown()?);
    let store = open_store().await?;
    let fleet = Fleet::start().await?;
    // The nodes already serve, so the printed commands work.
    let keys = Keys::make(&store).await?;
    store.close().await;
    let addresses = fleet.nodes().iter().map(|node| (node.name.to_owned(), json!(node.address)));
    process::print_line(&json!({
        "address": fleet.first().address,
        "nodes": addresses.collect::<Map<_, _>>(),
        "credentials": { "admin_key": keys.admin, "reader_key": keys.reader },
    }))?;

    tokio::select! {
        shown = show(&fleet, &keys) => shown?,
        () = &mut shutdown => return fleet.end().await,
    }
    if process::env_or("ONCE", "")?.is_empty() {
        shutdown.await;
    }
    fleet.end().await
}

async fn show(fleet: &Fleet, keys: &Keys) -> Result<(), Failure> {
    let watched = watch::a_revocation(fleet.nodes(), &keys.admin).await;
    let watched = watched.map_err(|failed| -> Box<dyn Error> { failed })?;
    eprintln!("{}", report::of(&watched));
    eprintln!("{}", report::to_try(fleet.nodes(), keys, &watched.revoked));
    Ok(())
}
