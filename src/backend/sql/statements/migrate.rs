//! Applying migrations.

use sqlx::{Connection, Row as _};

use super::connections::Connections;
use super::dialect::{BEGIN, DatabaseConnection, DatabaseTransaction, Namespace, PREPARE, Row, SCHEMA};
use super::pooled_connection::{run, run_on};
use crate::backend::sql::{Applied, Migration, check};
use crate::backend::{BackendError, BackendErrorKind};

/// Applies the missing migrations in one transaction, and returns the schema of the tables. A killed process leaves nothing
/// behind, and of several that start at once, one does the work.
///
/// # Errors
///
/// If the database cannot be written, or its schema is not of this version of the crate or an earlier one.
pub(in super::super) async fn migrate(connections: &Connections) -> Result<Namespace, BackendError> {
    run!(connections, |connection| migrate_on(connection)).await
}

async fn migrate_on(connection: &mut DatabaseConnection) -> Result<Namespace, BackendError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(BackendError::unavailable)?;
    let namespace = Namespace::find(&mut transaction).await?;
    for statement in PREPARE {
        sqlx::query(*statement).execute(&mut *transaction).await.map_err(BackendError::unavailable)?;
    }
    let applied = ledger(&mut transaction).await?;
    for migration in check(SCHEMA, &applied)? {
        apply(&mut transaction, migration).await?;
    }
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(namespace)
}

/// Reads the applied migrations. The write lock is held, so an error here means that the table has another shape.
async fn ledger(transaction: &mut DatabaseTransaction<'_>) -> Result<Vec<Applied>, BackendError> {
    let rows = sqlx::query("SELECT version, checksum FROM tower_api_key_migration ORDER BY version")
        .fetch_all(&mut **transaction)
        .await
        .map_err(BackendError::corrupt)?;
    let read = |row: &Row| Ok((row.try_get("version")?, row.try_get("checksum")?));
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(BackendError::corrupt)
}

async fn apply(transaction: &mut DatabaseTransaction<'_>, migration: &Migration) -> Result<(), BackendError> {
    let Migration { version, name, sql } = migration;
    sqlx::raw_sql(*sql).execute(&mut **transaction).await.map_err(|error| {
        let message = format!("cannot apply version {version} ({name}) of the key store's schema: {error}");
        BackendError::new(BackendErrorKind::Corrupt, message)
    })?;
    sqlx::query("INSERT INTO tower_api_key_migration (version, name, checksum) VALUES ($1, $2, $3)")
        .bind(version)
        .bind(name)
        .bind(&migration.checksum()[..])
        .execute(&mut **transaction)
        .await
        .map_err(BackendError::unavailable)?;
    Ok(())
}
