//! A set of connections for one kind of work.

// Layer 3 of 10: storage.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Pool;
use tokio::spawn;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::derived_pool::{AdaptOptions, DerivedPool};
use super::pooled_connection::{PooledConnection, RETURN_TIMEOUT, run, with_timeout};
use super::session::{Driver, Row, Session};
use super::statement::Statement;
use crate::backend::BackendError;
#[cfg(feature = "postgres")]
use crate::backend::BackendErrorKind;
use crate::select::{Either, select};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The pause after a failed connection attempt while other connections exist.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// How long a poll waits for its own connection before it uses one for lookups. The server may have given its own to another process.
const FALLBACK_AFTER: Duration = Duration::from_millis(100);

/// How long a request waits for a management connection.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections for one kind of work. Each established connection has one permit: if the server has fewer connections
/// than the pool may open, lookups wait for the established ones instead of failing.
#[derive(Debug)]
pub struct Connections<D: Driver>(Arc<Shared<D>>);

impl<D: Driver> Clone for Connections<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<D: Driver> {
    pool: DerivedPool<D>,
    permits: Arc<Semaphore>,
    /// The number of permits, in use or free.
    established: AtomicUsize,
    max: usize,
    /// Permits to wait, if the queue is bounded.
    queue: Option<Semaphore>,
    /// Held while connecting: one connection is made at a time.
    connecting: Arc<Mutex<()>>,
    /// Notified when a permit is given up.
    permit_lost: Notify,
    /// Used if none of these connections is available.
    fallback: Option<Connections<D>>,
}

impl<D: Driver> Connections<D> {
    /// Uses all connections of a pool.
    #[cfg(feature = "postgres")]
    pub(super) fn of_pool(pool: Pool<D>) -> Self {
        Self::new(DerivedPool::of(pool), usize::MAX, None, None)
    }

    /// Uses a separate pool, derived from another one.
    pub(super) fn derived_from(
        pool: &Pool<D>,
        connections: u32,
        adapt: &AdaptOptions<D>,
        fallback: Option<Self>,
    ) -> Self {
        Self::new(DerivedPool::from_pool(pool, connections, Arc::clone(adapt)), usize::MAX, None, fallback)
    }

    pub(super) fn new(
        pool: DerivedPool<D>,
        max: usize,
        queue: Option<usize>,
        fallback: Option<Self>,
    ) -> Self {
        let max = max.min(pool.pool().options().get_max_connections() as usize);
        Self(Arc::new(Shared {
            pool,
            permits: Arc::new(Semaphore::new(0)),
            established: AtomicUsize::new(0),
            max,
            queue: queue.map(Semaphore::new),
            connecting: Arc::default(),
            permit_lost: Notify::new(),
            fallback,
        }))
    }

    pub(super) fn pool(&self) -> &Pool<D> {
        self.0.pool.pool()
    }

    /// Returns the maximum number of connections.
    pub(super) fn max(&self) -> usize {
        self.0.max
    }

    /// Acquires a connection for one operation.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<D>, BackendError> {
        let Some(fallback) = &self.0.fallback else { return self.acquire_own().await };
        match timeout(FALLBACK_AFTER, self.acquire_own()).await {
            Ok(Ok(own)) => Ok(own),
            _ => fallback.acquire_own().await,
        }
    }

    /// Acquires a connection for one operation, unless others use all of them for this time: an error of kind `Busy`. Connecting may then
    /// take as long.
    #[cfg(feature = "postgres")]
    pub(super) async fn acquire_within(&self, limit: Duration) -> Result<PooledConnection<D>, BackendError> {
        let permit = timeout(limit, self.permit()).await.unwrap_or_else(|_| {
            Err(match self.0.established.load(Ordering::Relaxed) {
                0 => BackendError::unavailable(format!("no connection within {limit:?}")),
                _ => BackendError::new(
                    BackendErrorKind::Busy,
                    format!("no connection is free within {limit:?}"),
                ),
            })
        })?;
        let mut permit = Permit { permit: Some(permit), shared: Arc::clone(&self.0) };
        let connection = with_timeout(limit, self.0.pool.acquire()).await?;
        Ok(PooledConnection::new(connection, permit.permit.take()))
    }

    /// Executes a statement by itself.
    pub(super) async fn execute(&self, statement: &Statement) -> Result<u64, BackendError> {
        let mut connection = self.acquire().await?;
        run!(connection, connection.execute(statement))
    }

    /// Executes a statement by itself, and returns its first row.
    pub(super) async fn fetch_optional(&self, statement: &Statement) -> Result<Option<Row>, BackendError> {
        let mut connection = self.acquire().await?;
        run!(connection, connection.fetch_optional(statement))
    }

    async fn acquire_own(&self) -> Result<PooledConnection<D>, BackendError> {
        loop {
            let mut permit = Permit { permit: Some(self.queue().await?), shared: Arc::clone(&self.0) };
            match self.0.pool.acquire().await {
                Ok(connection) => return Ok(PooledConnection::new(connection, permit.permit.take())),
                Err(error) => {
                    drop(permit);
                    // Another permit may have a connection.
                    if self.0.established.load(Ordering::Relaxed) == 0 {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn queue(&self) -> Result<OwnedSemaphorePermit, BackendError> {
        let Some(queue) = &self.0.queue else { return self.permit().await };
        let _place = queue.try_acquire().map_err(|_| BackendError::busy())?;
        timeout(QUEUE_TIMEOUT, self.permit()).await.map_err(|_| BackendError::busy())?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, BackendError> {
        let Shared { permits, established, .. } = &*self.0;
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Ok(permit);
        }
        let mut permit = pin!(Arc::clone(permits).acquire_owned());
        loop {
            let mut taken = None;
            let taking = async { taken = Some(permit.as_mut().await) };
            match select(taking, self.grow()).await {
                Either::Right(Err(error)) if established.load(Ordering::Relaxed) == 0 => return Err(error),
                Either::Right(_) => {}
                Either::Left(()) => return taken.expect("a permit").map_err(BackendError::unavailable),
            }
        }
    }

    /// Adds a connection, or waits until one may be added.
    async fn grow(&self) -> Result<(), BackendError> {
        let turn = Arc::clone(&self.0.connecting).lock_owned().await;
        let mut lost = pin!(self.0.permit_lost.notified());
        lost.as_mut().enable();
        if self.0.established.load(Ordering::Relaxed) >= self.0.max {
            drop(turn);
            lost.await;
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        // A task, so that a waiter that is served or dropped meanwhile does not waste a half-made connection.
        let connecting = spawn(async move {
            let connected = shared.connect().await;
            drop(turn);
            connected
        });
        connecting.await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
    }
}

impl<D: Driver> Shared<D> {
    #[allow(clippy::disallowed_methods, reason = "a server takes the time that it takes")]
    async fn connect(&self) -> Result<(), BackendError> {
        match with_timeout(CONNECT_TIMEOUT, self.pool.acquire()).await {
            Ok(mut connection) => {
                let _ = timeout(RETURN_TIMEOUT, connection.return_to_pool()).await;
                self.established.fetch_add(1, Ordering::Relaxed);
                self.permits.add_permits(1);
                Ok(())
            }
            Err(error) => {
                if self.established.load(Ordering::Relaxed) > 0 {
                    sleep(CONNECT_PAUSE).await;
                }
                Err(error)
            }
        }
    }
}

/// A permit that is given up unless it gets a connection.
#[derive(Debug)]
struct Permit<D: Driver> {
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared<D>>,
}

impl<D: Driver> Drop for Permit<D> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            self.shared.established.fetch_sub(1, Ordering::Relaxed);
            self.shared.permit_lost.notify_waiters();
        }
    }
}
