//! Opens a database file, which it creates if none exists, and switches it to a write-ahead log.

// Layer 3 of 10: storage.

use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::file::{cannot_open, create};
use crate::backend::{BackendError, BackendErrorKind};
use crate::runtime::require_runtime;

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &str, connections: u32) -> Result<SqlitePool, BackendError> {
    require_runtime();
    let options =
        parse(url)?.create_if_missing(false).synchronous(SqliteSynchronous::Full).busy_timeout(BUSY_TIMEOUT);
    let file = options.get_filename().to_path_buf();
    create(&file)?;
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await;
    pool.map_err(|error| cannot_open(&file, &error))
}

/// Adds the name of the file to an error of an unavailable database.
pub(super) fn with_file_name(pool: &SqlitePool, error: BackendError) -> BackendError {
    match (error.kind(), error.cause()) {
        (BackendErrorKind::Unavailable, Some(cause)) => {
            cannot_open(pool.connect_options().get_filename(), cause)
        }
        _ => error,
    }
}

/// Parses the URL of a file. Databases in memory are refused: SQLite deletes them when a connection ends.
fn parse(url: &str) -> Result<SqliteConnectOptions, BackendError> {
    let invalid = |cause: &str| {
        let message = format!("cannot open SQLite database: {cause}. Use a URL such as `sqlite:keys.db`");
        BackendError::new(BackendErrorKind::Invalid, message)
    };
    if !url.starts_with("sqlite:") {
        // The URL is not shown: it may contain the password of another database.
        return Err(invalid("the URL does not start with `sqlite:`"));
    }
    let (_, settings) = url.split_once('?').unwrap_or((url, ""));
    // A percent-encoded setting might select memory as well.
    let in_memory = settings.contains('%') || settings.split('&').any(|setting| setting == "mode=memory");
    let is_read_only =
        settings.split('&').any(|setting| matches!(setting, "mode=ro" | "immutable=true" | "immutable=1"));
    if is_read_only {
        return Err(invalid(
            "the URL selects a read-only mode, but even lookups write files beside the database",
        ));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| invalid(&error.to_string()))?;
    let file = options.get_filename().to_string_lossy();
    if in_memory || file.is_empty() || file.starts_with("file:") || file.starts_with(":memory:") {
        return Err(invalid("the URL names no file"));
    }
    Ok(options)
}

/// Lets readers and a writer work at the same time. The mode is stored in the file.
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

/// Returns whether another connection has locked the file (`SQLITE_BUSY`, 5).
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("5"))
}
