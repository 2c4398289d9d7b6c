//! The migrations of a database.
//!
//! Applied migrations are recorded in a table of this crate, so that a store can share the database of an application with its
//! own migrations.

use sha2::{Digest, Sha256};

use crate::backend::BackendError;

/// A migration. Released migrations never change.
pub(in crate::backend) struct Migration {
    pub(in crate::backend) version: i64,
    pub(in crate::backend) name: &'static str,
    pub(in crate::backend) sql: &'static str,
}

/// A recorded migration: its version and the checksum of its text.
pub(in crate::backend) type Applied = (i64, Vec<u8>);

impl Migration {
    pub(in crate::backend) fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql).into()
    }
}

/// Checks that the applied migrations are the first of the known ones, and returns the missing ones.
///
/// # Errors
///
/// If the schema is newer than this version of the crate, or another one.
pub(in crate::backend) fn check<'m>(
    known: &'m [Migration],
    applied: &[Applied],
) -> Result<&'m [Migration], BackendError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index) else {
            let newest = known.len();
            return Err(BackendError::corrupt(format!(
                "its schema has version {version}, this version of the crate supports up to {newest}: update the crate"
            )));
        };
        if migration.version != *version || migration.checksum() != **checksum {
            let Migration { version, name, .. } = migration;
            return Err(BackendError::corrupt(format!(
                "version {version} ({name}) of its schema is not that of this crate"
            )));
        }
    }
    Ok(&known[applied.len()..])
}
