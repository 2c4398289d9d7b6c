//! The differences between databases, as data. The values are in the `dialect` of each database.

// Layer 3 of 10: storage.

use std::time::Duration;

/// The parts of statements and of their use that differ between databases.
#[derive(Debug)]
pub struct Dialect {
    /// Begins a transaction that migrates.
    pub(super) begin_migration: &'static str,
    /// Begins a transaction that makes a change.
    pub(super) begin_change: &'static str,
    /// Begins a transaction that changes many keys.
    pub(super) begin_mass_change: &'static str,
    /// Begins a transaction that only reads.
    pub(super) begin_read: &'static str,
    /// The expression for the time, in milliseconds.
    pub(super) now: &'static str,
    /// The end of a `SELECT` that locks the rows that are read until the transaction ends.
    pub(super) lock_rows_suffix: &'static str,
    /// The end of a `SELECT` of usage that locks the rows.
    pub(super) lock_usage_suffix: &'static str,
    /// The end of a `SELECT` that skips rows which another transaction is changing, and locks the remaining ones.
    pub(super) skip_locked_suffix: &'static str,
    /// Functions that lock a key by the hash of its id, exclusively and shared, until the transaction ends. Waiters are served in the
    /// order of their requests, in either mode.
    pub(super) key_locks: Option<(&'static str, &'static str)>,
    /// Statements that lock the owners. A transaction that adds a key blocks changes of owners, and one that changes an owner
    /// blocks new keys: otherwise a key that is added concurrently would be cached with its former owner. Changes of many keys
    /// block those that lock the rows of two in another order.
    pub(super) lock_owners_shared: Option<&'static str>,
    pub(super) lock_owners_exclusive: Option<&'static str>,
    /// Statements that run after the changes of a transaction were logged. They trim changes that are an hour old from the log,
    /// up to a thousand of the oldest. A poller that has not read them finds a gap.
    pub(super) after_changes: &'static [&'static str],
    pub(super) lookups: Lookups,
    /// Statements that run before the migrations.
    pub(super) before_migrations: &'static [&'static str],
    pub(super) migrations: &'static [Migration],
    /// Codes of errors of a transaction that failed because of concurrent ones. A retry finds them gone.
    pub(super) lock_conflicts: &'static [&'static str],
    /// Codes of errors because of a value that the database can never hold. No row can match it.
    pub(super) unrepresentable: &'static [&'static str],
    /// Codes of errors of a prepared statement that no longer fits the tables.
    pub(super) stale_plans: &'static [&'static str],
    /// Most connections for lookups.
    pub(super) lookup_connections: u32,
    /// Whether polls use a connection for lookups if they get none of their own.
    pub(super) polls_fall_back: bool,
    /// How long closing a connection may take.
    pub(super) close_timeout: Duration,
}

/// A migration. Released migrations never change; until the first release, there is one, which is edited in place.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Statements that look up keys and users, each with the state of owners: in one statement, so that both are of one snapshot.
#[derive(Debug)]
pub(super) struct Lookups {
    /// Selects keys.
    pub(super) keys: &'static str,
    /// Selects the key with a digest, on the primary.
    pub(super) by_digest: &'static str,
    /// Selects the keys with up to four digests, on the primary.
    pub(super) by_digests: &'static str,
    /// Selects the key with a digest, on any server.
    #[cfg(feature = "postgres")]
    pub(super) by_digest_on_replica: &'static str,
    /// Selects the keys with up to four digests, on any server.
    #[cfg(feature = "postgres")]
    pub(super) by_digests_on_replica: &'static str,
    /// Selects the user with an e-mail, on the primary.
    pub(super) user: &'static str,
}
