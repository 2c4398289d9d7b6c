//! What is done in the same way with each database.

mod audit;
mod borrowed;
mod filter;
mod migrate;
mod owners;
mod read;
mod store;
mod usage;
mod write;

pub(super) use borrowed::Borrowed;
pub(super) use migrate::migrate;
#[allow(unused_imports, reason = "not every database has servers that may be behind")]
pub(super) use read::by_digest_anywhere;

use super::{Store, dialect};
