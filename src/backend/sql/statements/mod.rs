//! Statements that are the same for each database.

mod actor;
mod audit;
mod connections;
mod derived_pool;
mod errors;
mod filter;
mod keys;
mod locks;
mod migrate;
mod owner_changes;
mod owners;
mod pooled_connection;
mod pools;
mod read;
mod store;
mod usage;
mod write;
mod written;

pub(super) use migrate::migrate;
pub(super) use pools::Pools;
#[allow(unused_imports, reason = "not every database is on a server, which may have replicas")]
pub(super) use {
    connections::Connections, derived_pool::AdaptOptions, pooled_connection::PooledConnection,
    read::by_digest_on_replica,
};

use super::{Store, dialect};

/// Rows per statement, below the database's limit of bound parameters.
const ROWS_PER_STATEMENT: usize = 500;
