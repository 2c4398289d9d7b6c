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

pub(super) use borrowed::{Borrowed, in_time};
pub(super) use migrate::migrate;

use super::{Store, dialect};
