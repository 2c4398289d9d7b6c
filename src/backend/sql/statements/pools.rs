//! The connections of a store, divided by purpose, so that one kind of work never waits for another.

use super::connections::Connections;
use super::derived_pool::{AdaptOptions, DerivedPool};
use super::dialect::{LOOKUP_CONNECTIONS, POLLS_FALL_BACK, Pool};

/// The number of connections for each purpose.
const READS: usize = 2;
const WRITES: usize = 2;
const REVOCATIONS: usize = 1;
const CLOSURES: usize = 1;
const BACKGROUND: usize = 1;

/// The maximum number of requests that wait for a management connection.
const QUEUE_LENGTH: usize = 256;

/// The connections of a store.
#[derive(Debug, Clone)]
pub(in super::super) struct Pools {
    /// For lookups of keys and users.
    pub(in super::super) lookups: Connections,
    /// For the change feed.
    pub(in super::super) polling: Connections,
    /// For lists and usage of management.
    pub(super) reads: Connections,
    /// For changes by management.
    pub(in super::super) writes: Connections,
    /// For revocations of one key by the application, which wait for no other change.
    pub(super) revocations: Connections,
    /// For deleting and disabling owners.
    pub(super) closures: Connections,
    /// For usage, first uses and rehashes, which the authenticator writes by itself.
    pub(super) background: Connections,
}

impl Pools {
    /// Uses a pool for management. Lookups and polls have separate pools, derived from it, which no other operation can
    /// exhaust.
    pub(in super::super) fn derived_from(pool: &Pool, adapt: &AdaptOptions) -> Self {
        let lookups = LOOKUP_CONNECTIONS.min(pool.options().get_max_connections());
        let lookups = Connections::derived_from(pool, lookups, adapt, None);
        let polling = Connections::derived_from(pool, 1, adapt, POLLS_FALL_BACK.then(|| lookups.clone()));
        Self { lookups, polling, ..Self::shared(pool) }
    }

    /// Uses one pool for everything: only its connections see a database in memory.
    pub(in super::super) fn shared(pool: &Pool) -> Self {
        let some = |connections| Connections::new(DerivedPool::of(pool.clone()), connections, None, None);
        let queued = |connections| {
            Connections::new(DerivedPool::of(pool.clone()), connections, Some(QUEUE_LENGTH), None)
        };
        Self {
            lookups: some(usize::MAX),
            polling: some(1),
            reads: queued(READS),
            writes: queued(WRITES),
            revocations: queued(REVOCATIONS),
            closures: queued(CLOSURES),
            background: some(BACKGROUND),
        }
    }

    /// The number of connections in the management pool.
    pub(in super::super) const MANAGEMENT: u32 =
        (READS + WRITES + REVOCATIONS + CLOSURES + BACKGROUND) as u32;

    pub(in super::super) async fn close(&self) {
        // The management connections are of one pool.
        for connections in [&self.lookups, &self.polling, &self.writes] {
            connections.pool().close().await;
        }
    }
}
