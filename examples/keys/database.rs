//! Checks that the database exists.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;

use crate::arguments::Command;
use crate::failure::Failure;

/// Rejects a SQLite file that does not exist, which opening would create: its name is probably mistyped. `init` and `create` create it.
pub(crate) fn check_exists(url: &str, command: &Command) -> Result<(), Failure> {
    let creates = matches!(command, Command::Init | Command::Create(_));
    match file(url) {
        Some(file) if !creates && matches!(file.try_exists(), Ok(false)) => {
            Err(Failure::outside(format!("no database at {}: run `init` to create it", file.display())))
        }
        _ => Ok(()),
    }
}

/// Returns the file of a URL. A URL without one is rejected when it is opened.
pub(crate) fn file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.parse().ok()?;
    let file = options.get_filename();
    let is_file = !file.as_os_str().is_empty() && !file.to_string_lossy().starts_with("file:");
    is_file.then(|| file.to_path_buf())
}
