//! The schema of a database, step by step.
//!
//! The steps that were applied stand in a ledger of our own, so that a store can share the database of an application
//! that keeps a ledger itself.

use sha2::{Digest, Sha256};

use crate::backend::BackendError;

/// One step of a schema. A step that was released never changes.
pub(in crate::backend) struct Migration {
    pub(in crate::backend) version: i64,
    pub(in crate::backend) name: &'static str,
    pub(in crate::backend) sql: &'static str,
}

/// A step that the ledger says was applied: its version and the checksum of its text.
pub(in crate::backend) type Applied = (i64, Vec<u8>);

impl Migration {
    pub(in crate::backend) fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql).into()
    }
}

/// Checks that what was applied is how the known steps begin, and returns those that are still to apply.
///
/// # Errors
///
/// When the schema is newer than this version of the crate, or another one.
pub(in crate::backend) fn check<'m>(
    known: &'m [Migration],
    applied: &[Applied],
) -> Result<&'m [Migration], BackendError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index) else {
            let newest = known.len();
            return Err(BackendError::corrupt(format!(
                "the schema has version {version}, this version of the crate knows {newest}: update the crate"
            )));
        };
        if migration.version != *version || migration.checksum() != **checksum {
            let Migration { version, name, .. } = migration;
            return Err(BackendError::corrupt(format!(
                "version {version} ({name}) of the schema is not the one that this crate applies"
            )));
        }
    }
    Ok(&known[applied.len()..])
}
