//! The statements of the stores.

mod actor;
pub(super) mod audit;
mod filter;
mod keys;
mod locks;
mod owner_changes;
pub(super) mod owners;
pub(super) mod read;
pub(super) mod usage;
pub(super) mod write;
pub(super) mod written;

/// Rows per statement, below the database's limit of bound parameters.
const ROWS_PER_STATEMENT: usize = 500;
