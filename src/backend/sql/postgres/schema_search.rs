//! Finds the schema of the tables in the search path.

// Layer 3 of 10: storage.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::backend::sql::namespace::Namespace;
use crate::backend::{BackendError, BackendErrorKind};

/// Finds the schema that has the tables, or is to have them, and sets it for the transaction. Serializes processes that start at
/// once.
///
/// # Errors
///
/// If several schemas of the search path have such tables, or the path has no schema.
pub(super) async fn enter_namespace(transaction: &mut PgConnection) -> Result<Namespace, BackendError> {
    // The number is arbitrary.
    const LOCK: &str = "SELECT pg_advisory_xact_lock(8390047731244621932)";
    const FOUND: &str = "SELECT nspname::TEXT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relname = 'tower_api_key_migration' AND nspname = ANY (current_schemas(FALSE)) ORDER BY nspname";
    const FIRST: &str = "SELECT current_schema()::TEXT";
    sqlx::query(LOCK).execute(&mut *transaction).await.map_err(BackendError::unavailable)?;
    let found = sqlx::query_scalar(FOUND).fetch_all(&mut *transaction).await;
    let found: Vec<String> = found.map_err(BackendError::unavailable)?;
    let name = match &found[..] {
        [name] => Some(name.clone()),
        [] => {
            let first = sqlx::query_scalar(FIRST).fetch_one(&mut *transaction).await;
            first.map_err(BackendError::unavailable)?
        }
        several => return Err(ambiguous(several)),
    };
    let namespace = Namespace::named(&name.ok_or_else(nowhere)?);
    let set = AssertSqlSafe(namespace.set_search_path().unwrap_or_default());
    sqlx::raw_sql(set).execute(transaction).await.map_err(BackendError::unavailable)?;
    Ok(namespace)
}

fn ambiguous(schemas: &[String]) -> BackendError {
    let schemas = schemas.join(", ");
    BackendError::new(
        BackendErrorKind::Corrupt,
        format!(
            "cannot choose a schema: several schemas of the search path have tables of keys: {schemas}. Set `search_path` to the one to \
             use, such as by `ALTER ROLE … SET search_path`, or drop the tables in the rest"
        ),
    )
}

fn nowhere() -> BackendError {
    let message = "cannot create tables of keys: no schema of the search path exists. Set `search_path`";
    BackendError::new(BackendErrorKind::Invalid, message)
}
