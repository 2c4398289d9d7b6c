//! Pooled connections, each for one operation.

// Layer 3 of 10: storage.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::Connection;
use sqlx::pool::PoolConnection;
use tokio::spawn;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::session::{Driver, is_caused_by};
use crate::backend::{BackendError, BackendErrorKind};

/// How long a management operation may take.
pub(super) const ADMIN_QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for a change of many keys.
pub(super) const MASS_CHANGE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long returning a connection to its pool may take. The pool tests the connection first, and would wait for an unreachable
/// server with one connection less.
pub(super) const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection of the pool, for one operation. It is closed unless the operation completed: the caller may have timed out on an
/// unreachable server, for which the pool would wait. SQLite may have rolled back by itself, as on a full disk, and the driver
/// would then consider the connection to be in a transaction for ever.
pub(super) struct PooledConnection<D: Driver> {
    /// `Some` until this is dropped.
    connection: Option<PoolConnection<D>>,
    permit: Option<OwnedSemaphorePermit>,
    has_cleared: bool,
    is_settled: bool,
}

impl<D: Driver> PooledConnection<D> {
    pub(super) fn new(connection: PoolConnection<D>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { connection: Some(connection), permit, has_cleared: false, is_settled: false }
    }

    /// Returns the connection to the pool, unless the error says that it may be lost.
    pub(super) fn release<T>(mut self, outcome: Result<T, BackendError>) -> Result<T, BackendError> {
        let is_lost = |error: &BackendError| error.kind() == BackendErrorKind::Unavailable;
        self.is_settled = !outcome.as_ref().is_err_and(is_lost);
        outcome
    }

    /// Clears the prepared statements if one was stale because the columns of a table have changed. Returns whether to retry, which
    /// it does once.
    pub(super) async fn clear_stale_plans<T>(&mut self, result: &Result<T, BackendError>) -> bool {
        let error = result.as_ref().err().filter(|_| !self.has_cleared);
        self.has_cleared = error.is_some_and(|error| is_caused_by(error, D::DIALECT.stale_plans))
            && self.clear_cached_statements().await.is_ok();
        self.has_cleared
    }
}

/// Runs an operation on a pooled connection, twice if a prepared statement was stale, and releases the connection. A function could
/// not declare that the future of the operation is `Send`.
macro_rules! run {
    ($connection:ident, $operation:expr) => {
        loop {
            let outcome = $operation.await;
            if !$connection.clear_stale_plans(&outcome).await {
                break $connection.release(outcome);
            }
        }
    };
}
pub(super) use run;

/// Runs work in a task, so that it completes even if the client disconnects.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, BackendError>> + Send + 'static,
) -> Result<T, BackendError> {
    spawn(work).await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
}

/// Limits an operation, which would wait until the operating system gives up on an unreachable server. Lookups and polls have
/// separate timeouts.
pub(super) async fn with_timeout<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    timeout(limit, operation).await.map_err(BackendError::unavailable)?
}

impl<D: Driver> Drop for PooledConnection<D> {
    fn drop(&mut self) {
        // The permit is released after the connection.
        let (Some(mut connection), permit) = (self.connection.take(), self.permit.take()) else { return };
        if self.is_settled {
            let returning = connection.return_to_pool();
            spawn(async move {
                let _ = timeout(RETURN_TIMEOUT, returning).await;
                drop(permit);
            });
        } else {
            spawn(async move {
                let _ = timeout(D::DIALECT.close_timeout, connection.close()).await;
                drop(permit);
            });
        }
    }
}

impl<D: Driver> Deref for PooledConnection<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        self.connection.as_ref().expect("a connection")
    }
}

impl<D: Driver> DerefMut for PooledConnection<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        self.connection.as_mut().expect("a connection")
    }
}
