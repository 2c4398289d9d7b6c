//! Pooled connections, each for one operation.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::Connection;
use sqlx::pool::PoolConnection;
use tokio::spawn;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::dialect::{CLOSE_TIMEOUT, Database, DatabaseConnection, is_stale_plan};
use super::errors::database_error;
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
pub(in super::super) struct PooledConnection {
    /// `Some` until this is dropped.
    connection: Option<PoolConnection<Database>>,
    permit: Option<OwnedSemaphorePermit>,
    is_settled: bool,
}

impl PooledConnection {
    pub(super) fn new(connection: PoolConnection<Database>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { connection: Some(connection), permit, is_settled: false }
    }

    /// Returns the connection to the pool unless the operation failed.
    pub(in super::super) fn release<T>(
        mut self,
        outcome: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let is_lost = |error: &BackendError| error.kind() == BackendErrorKind::Unavailable;
        self.is_settled = !outcome.as_ref().is_err_and(is_lost);
        outcome
    }

    /// Clears the prepared statements if one was stale because the columns of a table have changed. Returns whether to retry.
    pub(in super::super) async fn clear_stale_plans<T>(&mut self, result: &Result<T, BackendError>) -> bool {
        let error = result.as_ref().err().and_then(database_error);
        error.is_some_and(is_stale_plan) && self.clear_cached_statements().await.is_ok()
    }
}

/// Runs an operation on a connection, twice if a prepared statement was stale. A function could not declare that the future of
/// the operation is `Send`.
macro_rules! run {
    ($connections:expr, |$connection:ident| $operation:expr) => {
        async {
            let pooled = $connections.acquire().await?;
            run_on!(pooled, |$connection| $operation)
        }
    };
}

/// Runs an operation on this connection.
macro_rules! run_on {
    ($pooled:ident, |$connection:ident| $operation:expr) => {{
        let mut pooled = $pooled;
        let $connection = &mut *pooled;
        let mut result = $operation.await;
        if pooled.clear_stale_plans(&result).await {
            let $connection = &mut *pooled;
            result = $operation.await;
        }
        pooled.release(result)
    }};
}

/// Runs a management query in a read-only transaction, with a timeout that the database enforces as well. Once it has a
/// connection, it runs in a task: if the client disconnects, the query would keep the connection busy otherwise.
macro_rules! read_bounded {
    ($store:expr, |$connection:ident| $operation:expr) => {{
        let store = $store.clone();
        async move {
            with_timeout(ADMIN_QUERY_TIMEOUT, store.check_source()).await?;
            let reading = store.connections.reads.acquire().await?;
            let result = async move {
                run_on!(reading, |pooled| async {
                    let result = async {
                        let mut transaction = begin_read(pooled, &store.namespace).await?;
                        let $connection = &mut *transaction;
                        let result = $operation.await?;
                        // Nothing was changed.
                        transaction.rollback().await.map_err(BackendError::unavailable)?;
                        Ok(result)
                    };
                    let result = result.await;
                    end_read(pooled).await?;
                    result
                })
            };
            detached(with_timeout(ADMIN_QUERY_TIMEOUT, result)).await
        }
    }};
}

pub(super) use {read_bounded, run, run_on};

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

impl Drop for PooledConnection {
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
                let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
                drop(permit);
            });
        }
    }
}

impl Deref for PooledConnection {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        self.connection.as_ref().expect("a connection")
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut DatabaseConnection {
        self.connection.as_mut().expect("a connection")
    }
}
