//! The file of a database: how it is created, and why it cannot be opened.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

use sqlx::error::DatabaseError;

use crate::backend::{BackendError, BackendErrorKind};

/// SQLite's codes for a file that can only be read (`SQLITE_READONLY`), and for one beside which no other can be made
/// (`SQLITE_READONLY_DIRECTORY`).
const READ_ONLY: &str = "8";
const READ_ONLY_FOLDER: &str = "1544";

/// Creates an empty file that only its owner may read, unless the file exists. SQLite gives its other files the same mode.
pub(super) fn create(file: &Path) -> Result<(), BackendError> {
    let mut options = OpenOptions::new();
    // A file that exists must not be opened here: closing it would release the locks that SQLite holds on it in this process.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(cannot_open(file, &error)),
        _ => Ok(()),
    }
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
