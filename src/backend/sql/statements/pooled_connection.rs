//! Connections for one question each.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::spawn;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::dialect::{CLOSE_TIMEOUT, Database, DatabaseConnection};
use crate::backend::{BackendError, BackendErrorKind};

/// How long whoever manages keys waits for an answer.
pub(super) const ADMIN_QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The same where an answer is about many keys.
pub(super) const MASS_CHANGE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a connection may take to go back to its pool. The pool tries it first, and would wait for a server that is gone without a
/// word, with one connection less to give away all the while.
pub(super) const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection of the pool, for one question. It is closed unless the question was answered: whoever asked may have given up
/// on a server that is gone without a word, and the pool would wait for that server before it takes the connection back. SQLite
/// may have rolled back by itself, as on a full disk, and the driver would then take the connection to be within a transaction
/// for ever.
pub(in super::super) struct PooledConnection {
    /// Always there, until this is dropped.
    connection: Option<PoolConnection<Database>>,
    permit: Option<OwnedSemaphorePermit>,
    is_settled: bool,
}

impl PooledConnection {
    pub(super) fn new(connection: PoolConnection<Database>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { connection: Some(connection), permit, is_settled: false }
    }

    /// Gives the connection back, if the outcome does not speak against it.
    pub(in super::super) fn release<T>(
        mut self,
        outcome: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let is_lost = |error: &BackendError| error.kind() == BackendErrorKind::Unavailable;
        self.is_settled = !outcome.as_ref().is_err_and(is_lost);
        outcome
    }
}

/// Asks one question on a connection, twice where a prepared statement was outdated. A function could not say of the question that it may be
/// asked on any thread.
macro_rules! run {
    ($connections:expr, |$connection:ident| $question:expr) => {
        async {
            let pooled = $connections.acquire().await?;
            run_on!(pooled, |$connection| $question)
        }
    };
}

/// Asks one question on this connection.
macro_rules! run_on {
    ($pooled:ident, |$connection:ident| $question:expr) => {{
        let mut pooled = $pooled;
        let $connection = &mut *pooled;
        let mut answer = $question.await;
        if pooled.clear_stale_plans(&answer).await {
            let $connection = &mut *pooled;
            answer = $question.await;
        }
        pooled.release(answer)
    }};
}

/// Reads for management, within a limit that the database keeps as well. Once it has a connection, it goes on in a task: a client that hangs up
/// would leave its statement to the database, and the connection to the next one.
macro_rules! read_bounded {
    ($store:expr, |$connection:ident| $question:expr) => {{
        let store = $store.clone();
        async move {
            with_timeout(ADMIN_QUERY_TIMEOUT, store.check_source()).await?;
            let reading = store.connections.reads.acquire().await?;
            let answer = async move {
                run_on!(reading, |pooled| async {
                    let answer = async {
                        let mut transaction = begin_read(pooled, &store.namespace).await?;
                        let $connection = &mut *transaction;
                        let answer = $question.await?;
                        // It has changed nothing.
                        transaction.rollback().await.map_err(BackendError::unavailable)?;
                        Ok(answer)
                    };
                    let answer = answer.await;
                    end_read(pooled).await?;
                    answer
                })
            };
            detached(with_timeout(ADMIN_QUERY_TIMEOUT, answer)).await
        }
    }};
}

pub(super) use {run, run_on, read_bounded};

/// Goes on with work when its client has hung up.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, BackendError>> + Send + 'static,
) -> Result<T, BackendError> {
    spawn(work).await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
}

/// Waits for an answer, and not until the operating system takes a server for gone that has not said so. Lookups and polls have
/// deadlines of their own.
pub(super) async fn with_timeout<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    timeout(limit, answer).await.map_err(BackendError::unavailable)?
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        // The permit is free when the connection is.
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
