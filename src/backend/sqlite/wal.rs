//! The write-ahead log, which has to stay for as long as a connection has it open: only the last connection that is closed deletes it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::SqliteConnection;

use super::disk::{Disk, FileId};
use crate::backend::BackendError;

/// A number that each connection has of its own, 0 at first. It is another one where the connection watches the log.
const READ_TAG: &str = "PRAGMA temp.user_version";
const TAG: i64 = 0x77_61_6c;
const WRITE_TAG: &str = "PRAGMA temp.user_version = 0x77616c";

/// The log beside a database.
#[derive(Debug, Clone)]
pub(super) struct WriteAheadLog {
    path: PathBuf,
    /// The log that the connection which watches has open.
    opened: Arc<Mutex<Option<FileId>>>,
}

impl WriteAheadLog {
    /// Takes the log beside a file, to which no link leads: SQLite follows links first.
    pub(super) fn beside(file: PathBuf) -> Self {
        let mut path = file.into_os_string();
        path.push("-wal");
        Self { path: path.into(), opened: Arc::default() }
    }

    /// Returns whether the log that a connection has open is still there. The connection must have read. One that takes the place of
    /// another begins to watch anew, as the log may have gone with the other.
    pub(super) async fn is_present(
        &self,
        connection: &mut SqliteConnection,
        disk: &Disk,
    ) -> Result<bool, BackendError> {
        let tag: i64 = scalar(connection, READ_TAG).await?;
        if tag == TAG {
            let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(self.find(disk).await? == opened);
        }
        // In the other modes, the connection does not hold what another one has.
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

async fn scalar<T>(connection: &mut SqliteConnection, question: &'static str) -> Result<T, BackendError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(question).fetch_one(connection).await.map_err(BackendError::unavailable)
}
