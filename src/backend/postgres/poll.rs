//! Reading what other processes have changed in the database.

use sqlx::PgPool;

use crate::backend::sql::{MOST, decode_changes};
use crate::backend::{BackendError, Change, ChangeFeed};

/// Reads the rows of all transactions that may have committed since the last poll.
///
/// A transaction that took its number early may commit late, so the rows that are new are not those with the highest
/// numbers. All transactions below `low` had ended when the log was last read; of the others, some rows are read again, as
/// often as it takes until they lie below.
pub(super) struct Log {
    pool: PgPool,
    /// The lowest transaction that was under way at the last poll, once there was one.
    low: Option<String>,
}

/// The lowest transaction under way, and a row if there is one: the digest of the key that it is about, and what happened.
type ChangeRow = (String, Option<Vec<u8>>, Option<String>);

impl Log {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, low: None }
    }

    async fn start(&self) -> Result<String, BackendError> {
        const LOW: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT";
        sqlx::query_scalar(LOW).fetch_one(&self.pool).await.map_err(BackendError::unavailable)
    }

    /// Reads with one statement, so that the rows and the next `low` are of one snapshot.
    async fn read(&self, low: &str) -> Result<Vec<ChangeRow>, BackendError> {
        const READ: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT, change.digest, change.kind
            FROM (SELECT 1) AS once LEFT JOIN tower_api_key_change AS change ON change.tx >= $1::TEXT::XID8
            ORDER BY change.seq LIMIT $2";
        let most = (MOST + 1) as i64;
        let rows = sqlx::query_as(READ).bind(low).bind(most).fetch_all(&self.pool).await;
        rows.map_err(BackendError::unavailable)
    }
}

impl ChangeFeed for Log {
    async fn poll(&mut self) -> Result<Vec<Change>, BackendError> {
        let Some(low) = &self.low else {
            self.low = Some(self.start().await?);
            return Ok(Vec::new());
        };
        let rows = self.read(low).await?;
        let (next, ..) = rows.first().ok_or_else(|| BackendError::corrupt("a poll without a snapshot"))?;
        self.low = Some(next.clone());
        Ok(changes_of(&rows))
    }
}

/// Understands all rows in which there is a change.
fn changes_of(rows: &[ChangeRow]) -> Vec<Change> {
    let written = rows.iter().filter_map(|(_, digest, kind)| Some((digest.as_deref(), kind.as_deref()?)));
    decode_changes(written, rows.len() <= MOST)
}
