//! Connections for one question each.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::spawn;
use tokio::time::timeout;

use super::dialect::{Database, DatabaseConnection, Pool};
use crate::backend::{BackendError, BackendErrorKind};

/// How long whoever manages keys waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The same where an answer is about many keys.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// How long a connection may take to go back to its pool. The pool tries it first, and would wait for a server that is gone without a
/// word, with one connection less to give away all the while.
const RETURN: Duration = Duration::from_secs(1);

/// A connection of the pool, for one question. It is closed unless the question was answered: whoever asked may have given up
/// on a server that is gone without a word, and the pool would wait for that server before it takes the connection back. SQLite
/// may have rolled back by itself, as on a full disk, and the driver would then take the connection to be within a transaction
/// for ever.
pub(in super::super) struct Borrowed {
    connection: PoolConnection<Database>,
    is_settled: bool,
}

impl Borrowed {
    pub(in super::super) async fn from(pool: &Pool) -> Result<Self, BackendError> {
        let connection = pool.acquire().await.map_err(BackendError::unavailable)?;
        Ok(Self { connection, is_settled: false })
    }

    /// Gives the connection back, if the outcome does not speak against it.
    pub(in super::super) fn give_back<T>(
        mut self,
        outcome: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let is_lost = |error: &BackendError| error.kind() == BackendErrorKind::Unavailable;
        self.is_settled = !outcome.as_ref().is_err_and(is_lost);
        outcome
    }
}

/// Asks one question on a connection of the pool. A function could not say of the question that it may be asked on any thread.
macro_rules! ask {
    ($pool:expr, |$connection:ident| $question:expr) => {
        async {
            let mut borrowed = Borrowed::from($pool).await?;
            let $connection = &mut *borrowed;
            let answer = $question.await;
            borrowed.give_back(answer)
        }
    };
}

pub(super) use ask;

/// Waits for an answer, and not until the operating system takes a server for gone that has not said so. Look-ups and polls have
/// deadlines of their own.
pub(super) async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    timeout(patience, answer).await.map_err(BackendError::unavailable)?
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.is_settled {
            spawn(timeout(RETURN, self.connection.return_to_pool()));
        } else {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Borrowed {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.connection
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut DatabaseConnection {
        &mut self.connection
    }
}
