//! Opening a file.

use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::file::{cannot_open, create};
use crate::backend::{BackendError, BackendErrorKind};

/// How long to wait for whoever else is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &str, connections: u32) -> Result<SqlitePool, BackendError> {
    let options =
        parse(url)?.create_if_missing(false).synchronous(SqliteSynchronous::Full).busy_timeout(BUSY_TIMEOUT);
    let file = options.get_filename().to_path_buf();
    create(&file)?;
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await;
    pool.map_err(|error| cannot_open(&file, &error))
}

/// Names the file in an error of a database that could not be asked.
pub(super) fn with_file_name(pool: &SqlitePool, error: BackendError) -> BackendError {
    match (error.kind(), error.cause()) {
        (BackendErrorKind::Unavailable, Some(cause)) => {
            cannot_open(pool.connect_options().get_filename(), cause)
        }
        _ => error,
    }
}

/// Reads the URL of a file. SQLite forgets the other kinds of database when a connection ends.
fn parse(url: &str) -> Result<SqliteConnectOptions, BackendError> {
    let wrong = |found: &str| {
        let expected = "expected the URL of an SQLite database in a file, such as `sqlite:keys.db`";
        BackendError::new(BackendErrorKind::Invalid, format!("{expected}, found {found}"))
    };
    if !url.starts_with("sqlite:") {
        // The URL is not shown: those of other databases hold passwords.
        return Err(wrong("that of something else"));
    }
    let (_, settings) = url.split_once('?').unwrap_or((url, ""));
    // A setting that is spelled in another way might mean the memory as well.
    let in_memory = settings.contains('%') || settings.split('&').any(|setting| setting == "mode=memory");
    let is_read_only =
        settings.split('&').any(|setting| matches!(setting, "mode=ro" | "immutable=true" | "immutable=1"));
    if is_read_only {
        return Err(wrong("one that may only be read: even lookups write SQLite's files beside it"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| wrong(&error.to_string()))?;
    let file = options.get_filename().to_string_lossy();
    if in_memory || file.is_empty() || file.starts_with("file:") || file.starts_with(":memory:") {
        return Err(wrong("one that names no file"));
    }
    Ok(options)
}

/// Lets readers read while someone writes. The mode stays with the file.
#[allow(clippy::disallowed_methods, reason = "SQLite does not wait by itself when it switches the mode")]
pub(super) async fn switch_to_write_ahead_log(pool: &SqlitePool) -> Result<(), BackendError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut remaining = BUSY_TIMEOUT;
    loop {
        let switched = sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await;
        match switched {
            Err(error) if is_busy(&error) && !remaining.is_zero() => {
                tokio::time::sleep(PAUSE).await;
                remaining = remaining.saturating_sub(PAUSE);
            }
            other => {
                let switched = other.map(drop).map_err(BackendError::unavailable);
                return switched.map_err(|error| with_file_name(pool, error));
            }
        }
    }
}

/// Tells whether someone else holds the file, by SQLite's code for that (`SQLITE_BUSY`, 5).
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("5"))
}
