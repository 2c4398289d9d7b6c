//! Statements that are the same for each database.

mod actor;
mod audit;
mod connections;
mod derived_pool;
mod filter;
mod keys;
mod locks;
mod migrate;
mod owners;
mod pooled_connection;
mod pools;
mod read;
mod stale_plans;
mod store;
mod usage;
mod write;

pub(super) use migrate::migrate;
pub(super) use pools::Pools;
#[allow(unused_imports, reason = "not every database is on a server, which may have replicas")]
pub(super) use {
    connections::Connections, derived_pool::AdaptOptions, pooled_connection::PooledConnection,
    read::by_digest_on_replica,
};

use super::{Store, dialect};
