//! The migrations, as files and as applied.

use std::fs;
use std::path::Path;

/// The migrations of a database, such as `0001_keys`, by the existing files.
pub(crate) fn of(database: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/sql/migrations").join(database);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<_> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The migrations in the table of applied ones.
pub(crate) fn applied(ledger: Vec<(i64, String)>) -> Vec<String> {
    ledger.into_iter().map(|(version, name)| format!("{version:04}_{name}")).collect()
}
