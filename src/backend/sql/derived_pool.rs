//! Pools that connect with the options of another pool.

// Layer 3 of 10: storage.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Pool};

use super::session::Driver;
use crate::backend::BackendError;

type ConnectOptions<D> = <<D as sqlx::Database>::Connection as Connection>::Options;

/// Adapts the options of a pool for connections that the application does not use.
pub(super) type AdaptOptions<D> = Arc<dyn Fn(ConnectOptions<D>) -> ConnectOptions<D> + Send + Sync>;

/// A pool, and the pool whose options it uses.
pub(super) struct DerivedPool<D: Driver> {
    own: Pool<D>,
    source: Option<(Pool<D>, AdaptOptions<D>)>,
    /// The options of the other pool when they were last applied.
    applied: Mutex<Arc<ConnectOptions<D>>>,
}

/// Omits the options, which contain a password.
impl<D: Driver> fmt::Debug for DerivedPool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedPool").field("own", &self.own).finish_non_exhaustive()
    }
}

impl<D: Driver> DerivedPool<D> {
    pub(super) fn of(pool: Pool<D>) -> Self {
        Self { applied: Mutex::new(pool.connect_options()), own: pool, source: None }
    }

    pub(super) fn from_pool(pool: &Pool<D>, connections: u32, adapt: AdaptOptions<D>) -> Self {
        // Connections do not expire: the server might not give another one.
        let options = pool.options().clone().min_connections(0).max_connections(connections);
        let options = options.idle_timeout(None).max_lifetime(None);
        let current = pool.connect_options();
        let own = options.connect_lazy_with(adapt((*current).clone()));
        Self { applied: Mutex::new(current), own, source: Some((pool.clone(), adapt)) }
    }

    pub(super) fn pool(&self) -> &Pool<D> {
        &self.own
    }

    /// Acquires a connection. If the other pool has other options than at the last call, such as a new password, they are applied first.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<D>, BackendError> {
        self.sync_options();
        self.own.acquire().await.map_err(BackendError::unavailable)
    }

    fn sync_options(&self) {
        let Some((source, adapt)) = &self.source else { return };
        let current = source.connect_options();
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&applied, &current) {
            self.own.set_connect_options(adapt((*current).clone()));
            *applied = current;
        }
    }
}
