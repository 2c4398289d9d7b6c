//! The schema of a database, and its migrations.
//!
//! Applied migrations are recorded in a table of this crate, so that a store can share the database of an application with its
//! own migrations.

// Layer 3 of 10: storage.

use sha2::{Digest, Sha256};
use sqlx::SqlStr;

use super::connections::Connections;
use super::database::Database;
use super::dialect::Migration;
use super::namespace::Namespace;
use super::pooled_connection::run;
use super::session::{Session, begin};
use super::statement::Statement;
use crate::backend::{BackendError, BackendErrorKind};

/// A recorded migration: its version and the checksum of its text.
type Applied = (i64, Vec<u8>);

/// Applies the missing migrations in one transaction, and returns the schema of the tables. A killed process leaves nothing
/// behind, and of several that start at once, one does the work.
///
/// # Errors
///
/// If the database cannot be written, or its schema is not of this version of the crate or an earlier one.
pub(super) async fn migrate<D: Database>(connections: &Connections<D>) -> Result<Namespace, BackendError> {
    let mut connection = connections.acquire().await?;
    run!(connection, migrate_on::<D>(&mut connection))
}

async fn migrate_on<D: Database>(connection: &mut D::Connection) -> Result<Namespace, BackendError> {
    let mut transaction = begin::<D>(connection, SqlStr::from_static(D::DIALECT.begin_migration)).await?;
    let namespace = D::enter_namespace(&mut transaction).await?;
    for statement in D::DIALECT.before_migrations {
        transaction.execute(&Statement::new(*statement)).await?;
    }
    let applied = ledger(&mut *transaction).await?;
    for migration in check(D::DIALECT.migrations, &applied)? {
        apply(&mut *transaction, migration).await?;
    }
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(namespace)
}

/// Reads the applied migrations. The write lock is held, so an error here means that the table has another shape.
async fn ledger(session: &mut dyn Session) -> Result<Vec<Applied>, BackendError> {
    let read = Statement::new("SELECT version, checksum FROM tower_api_key_migration ORDER BY version");
    let rows = session.fetch(&read, |row| Ok((row.get("version")?, row.get("checksum")?))).await;
    rows.map_err(|error| match error.cause() {
        Some(cause) => BackendError::corrupt(cause.to_string()),
        None => error,
    })
}

/// Checks that the applied migrations are the first of the known ones, and returns the missing ones.
///
/// # Errors
///
/// If the schema is newer than this version of the crate, or another one.
fn check<'m>(known: &'m [Migration], applied: &[Applied]) -> Result<&'m [Migration], BackendError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index) else {
            let newest = known.len();
            return Err(BackendError::corrupt(format!(
                "its schema has version {version}, this version of the crate supports up to {newest}: update the crate"
            )));
        };
        if migration.version != *version || checksum_of(migration) != **checksum {
            return Err(BackendError::corrupt(format!(
                "version {version} of its schema is not that of this crate: an unreleased version created the database, so create a new one"
            )));
        }
    }
    Ok(&known[applied.len()..])
}

async fn apply(session: &mut dyn Session, migration: &Migration) -> Result<(), BackendError> {
    let Migration { version, name, sql } = *migration;
    session.execute_script(sql).await.map_err(|error| {
        let cause = error.cause().map_or_else(|| error.to_string(), ToString::to_string);
        let message = format!("cannot apply version {version} ({name}) of the key store's schema: {cause}");
        BackendError::new(BackendErrorKind::Corrupt, message)
    })?;
    let record =
        Statement::new("INSERT INTO tower_api_key_migration (version, name, checksum) VALUES ($1, $2, $3)");
    let record = record.bind(version).bind(name).bind(checksum_of(migration).to_vec());
    session.execute(&record).await.map(drop)
}

fn checksum_of(migration: &Migration) -> [u8; 32] {
    Sha256::digest(migration.sql).into()
}
