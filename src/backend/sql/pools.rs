//! The connections of a store, divided by purpose, so that one kind of work never waits for another.

// Layer 3 of 10: storage.

use sqlx::Pool;

use super::connections::Connections;
use super::derived_pool::{AdaptOptions, DerivedPool};
use super::session::Driver;

/// The number of connections for each purpose.
const READS: usize = 2;
const WRITES: usize = 2;
const REVOCATIONS: usize = 1;
const CLOSURES: usize = 1;
const BACKGROUND: usize = 1;

/// The number of connections in the management pool.
pub(super) const MANAGEMENT: u32 = (READS + WRITES + REVOCATIONS + CLOSURES + BACKGROUND) as u32;

/// The maximum number of requests that wait for a management connection.
const QUEUE_LENGTH: usize = 256;

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Pools<D: Driver> {
    /// For lookups of keys and users.
    pub(super) lookups: Connections<D>,
    /// For the change feed.
    pub(super) polling: Connections<D>,
    /// For lists and usage of management.
    pub(super) reads: Connections<D>,
    /// For changes by management.
    pub(super) writes: Connections<D>,
    /// For revocations of one key by the application, which wait for no other change.
    pub(super) revocations: Connections<D>,
    /// For deleting and disabling owners.
    pub(super) closures: Connections<D>,
    /// For usage, first uses, added digests and rehashes, which the authenticator writes by itself.
    pub(super) background: Connections<D>,
}

impl<D: Driver> Pools<D> {
    /// Uses a pool for management. Lookups and polls have separate pools, derived from it, which no other operation can
    /// exhaust.
    pub(super) fn derived_from(pool: &Pool<D>, adapt: &AdaptOptions<D>) -> Self {
        let lookups = D::DIALECT.lookup_connections.min(pool.options().get_max_connections());
        let lookups = Connections::derived_from(pool, lookups, adapt, None);
        let polling =
            Connections::derived_from(pool, 1, adapt, D::DIALECT.polls_fall_back.then(|| lookups.clone()));
        Self { lookups, polling, ..Self::shared(pool) }
    }

    /// Uses one pool for everything: only its connections see a database in memory.
    pub(super) fn shared(pool: &Pool<D>) -> Self {
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

    pub(super) async fn close(&self) {
        // The management connections are of one pool.
        for connections in [&self.lookups, &self.polling, &self.writes] {
            connections.pool().close().await;
        }
    }
}
