//! The statements of the SQL stores.

// Layer 3 of 10: storage.
// Above `session`, `owner_state` and `change_codec`; below `store`. Bottom to top, a file importing only those before it:
// - in tests `sqlite_plan`; `self`, `filter`, `locks`, `owners`, `written`, `plans`
// - `read`, `audit`, `usage_totals`, `usage`, `digests`
// - `actor`, `last_manager`, `keys`, `owner_changes`, `write`; in tests `query_plans`

mod actor;
pub(super) mod audit;
pub(super) mod digests;
mod filter;
mod keys;
mod last_manager;
mod locks;
mod owner_changes;
pub(super) mod owners;
pub(super) mod plans;
#[cfg(all(test, feature = "postgres"))]
mod query_plans;
pub(super) mod read;
#[cfg(all(test, feature = "sqlite"))]
mod sqlite_plan;
pub(super) mod usage;
mod usage_totals;
pub(super) mod write;
pub(super) mod written;

/// Rows per statement, below the database's limit of bound parameters.
const ROWS_PER_STATEMENT: usize = 500;
