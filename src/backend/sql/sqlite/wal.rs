//! Watches the write-ahead log, which must exist for as long as a connection has it open: SQLite deletes it with the last connection.

// Layer 3 of 10: storage.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::SqliteConnection;

use super::disk::{Disk, FileId};
use crate::backend::BackendError;

/// A number that each connection stores for itself, initially 0. The tag marks the connection that watches the log.
const READ_TAG: &str = "PRAGMA temp.user_version";
const TAG: i64 = 0x77_61_6c;
const WRITE_TAG: &str = "PRAGMA temp.user_version = 0x77616c";

/// The log of a database.
#[derive(Debug, Clone)]
pub(super) struct WriteAheadLog {
    path: PathBuf,
    /// The log that the watching connection has open.
    opened: Arc<Mutex<Option<FileId>>>,
}

impl WriteAheadLog {
    /// Returns the log of a file. `file` must not be a link: SQLite resolves links first.
    pub(super) fn beside(file: PathBuf) -> Self {
        let mut path = file.into_os_string();
        path.push("-wal");
        Self { path: path.into(), opened: Arc::default() }
    }

    /// Returns whether the log that a connection has open is still the one on disk. The connection must have read before. The first call for
    /// a connection remembers the log that it finds and returns `true`, as the former log may have been deleted with the former connection.
    pub(super) async fn is_intact(
        &self,
        connection: &mut SqliteConnection,
        disk: &Disk,
    ) -> Result<bool, BackendError> {
        let tag: i64 = scalar(connection, READ_TAG).await?;
        if tag == TAG {
            let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(self.find(disk).await? == opened);
        }
        // In other journal modes, the connection keeps no log open.
        let mode: String = scalar(connection, "PRAGMA journal_mode").await?;
        if mode == "wal"
            && let Some(found) = self.find(disk).await?
        {
            *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            sqlx::query(WRITE_TAG).execute(connection).await.map_err(BackendError::unavailable)?;
        }
        Ok(true)
    }

    async fn find(&self, disk: &Disk) -> Result<Option<FileId>, BackendError> {
        match disk.file_id(&self.path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map_err(BackendError::unavailable),
        }
    }
}

async fn scalar<T>(connection: &mut SqliteConnection, pragma: &'static str) -> Result<T, BackendError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(pragma).fetch_one(connection).await.map_err(BackendError::unavailable)
}
