//! The file of a database: creates it, and checks that it is still the file that was opened.

// Layer 3 of 10: storage.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::error::DatabaseError;
use sqlx::{SqliteConnection, SqlitePool};

use super::disk::{Disk, FileId, file_id};
use super::wal::WriteAheadLog;
use crate::backend::{BackendError, BackendErrorKind};

/// SQLite's codes for a read-only file (`SQLITE_READONLY`) and for a read-only folder (`SQLITE_READONLY_DIRECTORY`).
const READ_ONLY: &str = "8";
const READ_ONLY_FOLDER: &str = "1544";

const WAL_DELETED: &str = "its write-ahead log was deleted";

/// The maximum number of symbolic links to follow.
const MAX_LINKS: usize = 8;

/// Creates an empty file that only its owner may read, unless the file exists. SQLite gives its other files the same mode.
/// Follows symbolic links to a file that does not exist.
pub(super) fn create(file: &Path) -> Result<(), BackendError> {
    let mut options = OpenOptions::new();
    // An existing file must not be opened here: closing it would release the locks that SQLite holds on it in this process.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = file.to_path_buf();
    for _ in 0..=MAX_LINKS {
        match options.open(&target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(cannot_open(file, &error)),
            Ok(_) => return Ok(()),
            // `create_new` follows no link.
            Err(_) => match fs::read_link(&target) {
                Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
                Err(_) => return Ok(()),
            },
        }
    }
    // SQLite reports a link that leads to itself.
    Ok(())
}

/// Creates an error that names the file and the cause.
pub(super) fn cannot_open(file: &Path, cause: &(dyn Error + 'static)) -> BackendError {
    let database = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    let hint = match (database.and_then(DatabaseError::code).as_deref(), io) {
        (Some(READ_ONLY), _) => " (this process must be able to write the file)",
        (Some(READ_ONLY_FOLDER), _) | (_, Some(ErrorKind::PermissionDenied)) => {
            " (this process must be able to write the folder of the file)"
        }
        (_, Some(ErrorKind::NotFound)) => " (the folder of the file must exist)",
        _ => "",
    };
    let message = format!("cannot open SQLite database {}: {cause}{hint}", file.display());
    BackendError::new(BackendErrorKind::Unavailable, message)
}

/// The file that a store has opened. Its path may lead to another file later, while SQLite keeps using the opened file.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
    /// `None` for a database in memory.
    opened: Option<FileId>,
    log: WriteAheadLog,
    disk: Disk,
    /// Why the file cannot be used, by the last check.
    fault: Arc<Mutex<Option<Cow<'static, str>>>>,
}

impl File {
    /// Identifies the file of an open database.
    pub(super) fn of(pool: &SqlitePool) -> Self {
        let name = pool.connect_options().get_filename().to_path_buf();
        let opened = file_id(&name).ok().flatten();
        let path = match opened {
            // The working directory may change.
            Some(_) => std::path::absolute(&name).unwrap_or(name),
            None => name,
        };
        let log = WriteAheadLog::beside(path.canonicalize().unwrap_or_else(|_| path.clone()));
        Self { path, opened, log, disk: Disk::default(), fault: Arc::default() }
    }

    /// Returns whether the database is in memory, and visible only to the connections of its pool.
    pub(super) fn is_in_memory(&self) -> bool {
        !self.path.exists()
    }

    /// Returns a name that all stores of the database have in common, with links resolved. A database in memory has its own
    /// name.
    pub(super) fn name(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// Checks that the path still leads to the file that was opened.
    ///
    /// # Errors
    ///
    /// If it leads to another file, or to none: other processes do not see the reads and writes of this store then.
    pub(super) async fn check(&self) -> Result<(), BackendError> {
        let Some(opened) = self.opened else { return Ok(()) };
        let found = match self.disk.file_id(&self.path).await {
            Ok(Some(found)) if found != opened => Some("another file has taken its place".into()),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::NotFound => Some("it was deleted or moved".into()),
            Err(error) => Some(error.to_string().into()),
        };
        let mut fault = self.fault();
        // The file may come back, but not its log.
        if fault.as_deref() != Some(WAL_DELETED) {
            *fault = found;
        }
        drop(fault);
        self.last_check()
    }

    /// Returns the result of the last check. Lookups use this, because the file system may be slow.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub(super) fn last_check(&self) -> Result<(), BackendError> {
        let Some(cause) = &*self.fault() else { return Ok(()) };
        let file = self.path.display();
        let message = format!(
            "cannot use SQLite database {file} any more: {cause} while it was open. Restart all processes that use it"
        );
        Err(BackendError::new(BackendErrorKind::Unavailable, message))
    }

    fn fault(&self) -> MutexGuard<'_, Option<Cow<'static, str>>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the write-ahead log that the polling connection has open still exists. The connection must have read before.
    ///
    /// # Errors
    ///
    /// If the log was deleted, from then on: new connections use another log.
    pub(super) async fn check_wal(&self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        if self.opened.is_none() || self.log.is_intact(connection, &self.disk).await? {
            return Ok(());
        }
        // Both may have been moved, and come back.
        self.check().await?;
        *self.fault() = Some(WAL_DELETED.into());
        self.last_check()
    }
}
