//! Opening a file.

use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::super::BackendError;

/// How long to wait for whoever else is writing.
const BUSY: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &str) -> Result<SqlitePool, BackendError> {
    if !names_a_file(url) {
        // The URL is not shown: those of other databases hold passwords.
        return Err(BackendError::invalid(
            "expected a URL such as `sqlite:keys.db`, of a database in a file",
        ));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(BackendError::invalid)?
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY);
    let file = options.get_filename().display().to_string();
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
    pool.map_err(|error| BackendError::unavailable(format!("cannot open the database {file}: {error}")))
}

/// Tells whether a URL is that of a file. SQLite forgets the other kinds of database when a connection ends.
fn names_a_file(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("sqlite:") else { return false };
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    !path.is_empty() && path != ":memory:" && !options.split('&').any(|option| option == "mode=memory")
}

/// Lets readers read while someone writes. The mode stays with the file.
#[allow(clippy::disallowed_methods, reason = "SQLite does not wait by itself when it switches the mode")]
pub(super) async fn switch_to_write_ahead_log(pool: &SqlitePool) -> Result<(), BackendError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut patience = BUSY;
    loop {
        let switched = sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await;
        match switched {
            Err(error) if is_busy(&error) && !patience.is_zero() => {
                tokio::time::sleep(PAUSE).await;
                patience = patience.saturating_sub(PAUSE);
            }
            other => return other.map(drop).map_err(BackendError::unavailable),
        }
    }
}

/// Tells whether someone else holds the file, by SQLite's code for that (`SQLITE_BUSY`, 5).
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("5"))
}
