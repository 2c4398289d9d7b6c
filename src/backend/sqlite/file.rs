//! The file of a database: how it is created, and whether it is still the one that was opened.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::error::DatabaseError;
use sqlx::{SqliteConnection, SqlitePool};

use super::disk::{Disk, FileId, file_id};
use super::wal::WriteAheadLog;
use crate::backend::{BackendError, BackendErrorKind};

/// SQLite's codes for a file that can only be read (`SQLITE_READONLY`), and for one beside which no other can be made
/// (`SQLITE_READONLY_DIRECTORY`).
const READ_ONLY: &str = "8";
const READ_ONLY_FOLDER: &str = "1544";

const WAL_DELETED: &str = "its write-ahead log was deleted";

/// Symbolic links that are followed to a new file.
const MAX_LINKS: usize = 8;

/// Creates an empty file that only its owner may read, unless the file exists. SQLite gives its other files the same mode. A symbolic link
/// to a file that does not exist is followed.
pub(super) fn create(file: &Path) -> Result<(), BackendError> {
    let mut options = OpenOptions::new();
    // A file that exists must not be opened here: closing it would release the locks that SQLite holds on it in this process.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = file.to_path_buf();
    for _ in 0..=MAX_LINKS {
        match options.open(&target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(cannot_open(file, &error)),
            Ok(_) => return Ok(()),
            // The call above follows no link.
            Err(_) => match fs::read_link(&target) {
                Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
                Err(_) => return Ok(()),
            },
        }
    }
    // SQLite says what is wrong with a link that leads to itself.
    Ok(())
}

/// Creates an error that names the file and the cause.
pub(super) fn cannot_open(file: &Path, cause: &(dyn Error + 'static)) -> BackendError {
    let database = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let what_to_change = match database.and_then(DatabaseError::code).as_deref() {
        Some(READ_ONLY) => ". This process has to be able to write the file",
        Some(READ_ONLY_FOLDER) => ". This process has to be able to write the folder of the file",
        _ => "",
    };
    let message = format!("cannot open SQLite database {}: {cause}{what_to_change}", file.display());
    BackendError::new(BackendErrorKind::Unavailable, message)
}

/// The file that a store has opened. A name can lead to another file later, while SQLite goes on with the one that it has opened.
#[derive(Debug, Clone)]
pub(super) struct File {
    path: PathBuf,
    /// Unknown for a database in memory.
    opened: Option<FileId>,
    log: WriteAheadLog,
    disk: Disk,
    /// Why the file cannot be used, as the last check found.
    fault: Arc<Mutex<Option<Cow<'static, str>>>>,
}

impl File {
    /// Takes the file of an open database.
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

    /// Returns whether the database is in memory, where only the connections of its pool find it.
    pub(super) fn is_in_memory(&self) -> bool {
        !self.path.exists()
    }

    /// Returns a name for the database that all its stores have in common: paths differ by links. A database in memory has a name of its own.
    pub(super) fn name(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// Checks that the name still leads to the file that was opened.
    ///
    /// # Errors
    ///
    /// When it leads to another file, or to none: what this store reads and writes is not what others see.
    pub(super) async fn check(&self) -> Result<(), BackendError> {
        let Some(opened) = self.opened else { return Ok(()) };
        let found = match self.disk.file_id(&self.path).await {
            Ok(Some(found)) if found != opened => Some("another file has taken its place".into()),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::NotFound => Some("it was deleted or moved".into()),
            Err(error) => Some(error.to_string().into()),
        };
        let mut fault = self.fault();
        // The file may come back, but not a log.
        if fault.as_deref() != Some(WAL_DELETED) {
            *fault = found;
        }
        drop(fault);
        self.last_check()
    }

    /// Returns what the last check found. Lookups rest on this, because the file system may take its time.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub(super) fn last_check(&self) -> Result<(), BackendError> {
        let Some(cause) = &*self.fault() else { return Ok(()) };
        let file = self.path.display();
        let message = format!(
            "cannot use SQLite database {file} any more: {cause} while it was in use. Restart all processes that use it"
        );
        Err(BackendError::new(BackendErrorKind::Unavailable, message))
    }

    fn fault(&self) -> MutexGuard<'_, Option<Cow<'static, str>>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the write-ahead log which the polling connection has open is still there. The connection must have read.
    ///
    /// # Errors
    ///
    /// When it was deleted, from then on: new connections have another one.
    pub(super) async fn check_wal(&self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        if self.opened.is_none() || self.log.is_present(connection, &self.disk).await? {
            return Ok(());
        }
        // Both may have been moved, and come back.
        self.check().await?;
        *self.fault() = Some(WAL_DELETED.into());
        self.last_check()
    }
}
