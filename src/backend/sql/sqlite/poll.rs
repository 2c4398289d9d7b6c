//! The change feed of a database file. A poll only reads, and checks that the file is still the one that was opened: otherwise lookups fail
//! too.

// Layer 3 of 10: storage.

use sqlx::Sqlite;

use super::file::File;
use crate::backend::sql::change_codec::{MAX_POLLED_CHANGES, decode_changes};
use crate::backend::sql::connections::Connections;
use crate::backend::{BackendError, ChangeFeed, Invalidation};

/// A row: its number, the digest of the key, and the kind of change.
type ChangeRow = (i64, Option<Vec<u8>>, String);

/// Reads the rows after the last one that was read. SQLite commits one transaction after another, so rows appear in the order of
/// their numbers.
pub(super) struct ChangeLog {
    connections: Connections<Sqlite>,
    file: File,
    /// The number of the last row that was read. `None` before the first poll.
    last: Option<i64>,
}

impl ChangeLog {
    pub(super) fn new(connections: Connections<Sqlite>, file: File) -> Self {
        Self { connections, file, last: None }
    }

    async fn end(&self) -> Result<i64, BackendError> {
        const END: &str = "SELECT coalesce(max(seq), 0) FROM tower_api_key_change";
        let mut connection = self.connections.acquire().await?;
        let end = sqlx::query_scalar(END).fetch_one(&mut *connection).await;
        let end = match end {
            Ok(end) => self.file.check_wal(&mut connection).await.map(|()| end),
            Err(error) => Err(BackendError::unavailable(error)),
        };
        connection.release(end)
    }

    async fn read(&self, last: i64, end: i64) -> Result<Vec<ChangeRow>, BackendError> {
        const READ: &str =
            "SELECT seq, digest, kind FROM tower_api_key_change WHERE seq > ? AND seq <= ? ORDER BY seq";
        let mut connection = self.connections.acquire().await?;
        let rows = sqlx::query_as(READ).bind(last).bind(end).fetch_all(&mut *connection).await;
        connection.release(rows.map_err(BackendError::unavailable))
    }
}

impl ChangeFeed for ChangeLog {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        self.file.check().await?;
        let end = self.end().await?;
        // The file may have been replaced during the read.
        self.file.check().await?;
        let changes = match self.last {
            None => Vec::new(),
            Some(last) if last == end => Vec::new(),
            // A log that has become shorter is that of a restored copy.
            Some(last) if end < last || end - last > MAX_POLLED_CHANGES as i64 => {
                vec![Invalidation::Everything]
            }
            Some(last) => changes_of(&self.read(last, end).await?, last, end),
        };
        self.last = Some(end);
        Ok(changes)
    }
}

/// Decodes the rows from `last` to `end`.
fn changes_of(rows: &[ChangeRow], last: i64, end: i64) -> Vec<Invalidation> {
    let is_whole = rows.iter().map(|(number, ..)| *number).eq(last + 1..=end);
    decode_changes(rows.iter().map(|(_, digest, kind)| (digest.as_deref(), kind.as_str())), is_whole)
}
