//! What is done in the same way with each database.

mod actor;
mod audit;
mod borrowed;
mod connections;
mod divided;
mod filter;
mod keys;
mod locks;
mod migrate;
mod owners;
mod plans;
mod pooled;
mod read;
mod store;
mod usage;
mod write;

pub(super) use divided::Divided;
pub(super) use migrate::migrate;
#[allow(unused_imports, reason = "not every database is on a server, which may have replicas")]
pub(super) use {borrowed::Borrowed, connections::Connections, pooled::Adapt, read::by_digest_anywhere};

use super::{Store, dialect};
