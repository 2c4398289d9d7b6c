//! Whether there is a database to ask.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;

use crate::arguments::Command;
use crate::failure::Failure;

/// Refuses to ask a file that is not there, which opening it would make: what is not there has no keys, and its name is
/// more likely mistyped.
pub(crate) fn check_that_there_is_one(url: &str, command: &Command) -> Result<(), Failure> {
    let makes_one = matches!(command, Command::Init | Command::Create(_));
    match file(url) {
        Some(file) if !makes_one && matches!(file.try_exists(), Ok(false)) => {
            let file = file.display();
            Err(Failure::outside(format!("expected a database at {file}, found none; `init` makes one")))
        }
        _ => Ok(()),
    }
}

/// Reads which file is meant. A URL that names none is refused when it is opened.
fn file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.parse().ok()?;
    let file = options.get_filename();
    let is_file = !file.as_os_str().is_empty() && !file.to_string_lossy().starts_with("file:");
    is_file.then(|| file.to_path_buf())
}
