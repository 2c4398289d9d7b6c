//! The schema of the tables, whatever the search path of a session.
//!
//! An unqualified name means the first table of that name in the search path. With `"$user", public`, that changes once a schema
//! with the name of the role has such tables, and a session of an application may have any search path.

use sqlx::{AssertSqlSafe, Postgres, Transaction};

use crate::backend::{BackendError, BackendErrorKind};

/// The schema of the tables.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    /// The name, quoted as an identifier.
    quoted: Box<str>,
}

impl Namespace {
    /// Finds the schema that has the tables, or is to have them, and sets it for the transaction. Serializes processes that start
    /// at once.
    ///
    /// # Errors
    ///
    /// If several schemas of the search path have such tables, or the path has no schema.
    pub(super) async fn find(transaction: &mut Transaction<'_, Postgres>) -> Result<Self, BackendError> {
        // The number is arbitrary.
        const LOCK: &str = "SELECT pg_advisory_xact_lock(8390047731244621932)";
        const FOUND: &str = "SELECT nspname::TEXT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relname = 'tower_api_key_migration' AND nspname = ANY (current_schemas(FALSE)) ORDER BY nspname";
        const FIRST: &str = "SELECT current_schema()::TEXT";
        sqlx::query(LOCK).execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
        let found: Vec<String> = sqlx::query_scalar(FOUND)
            .fetch_all(&mut **transaction)
            .await
            .map_err(BackendError::unavailable)?;
        let name = match &found[..] {
            [name] => Some(name.clone()),
            [] => sqlx::query_scalar(FIRST)
                .fetch_one(&mut **transaction)
                .await
                .map_err(BackendError::unavailable)?,
            several => return Err(ambiguous(several)),
        };
        let namespace = Self::named(&name.ok_or_else(nowhere)?);
        let stay = AssertSqlSafe(namespace.stay());
        sqlx::raw_sql(stay).execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
        Ok(namespace)
    }

    fn named(name: &str) -> Self {
        Self { quoted: format!("\"{}\"", name.replace('"', "\"\"")).into() }
    }

    /// Begins a transaction in the schema. The rest of the search path follows it: triggers of an application may need it.
    pub(super) fn begin(&self, begin: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("{begin}; {}", self.stay()))
    }

    fn stay(&self) -> String {
        let text = self.quoted.replace('\\', r"\\").replace('\'', "''");
        format!(
            "SELECT set_config('search_path', concat_ws(', ', E'{text}', nullif(current_setting('search_path'), '')), TRUE)"
        )
    }

    /// Qualifies the tables of a statement that runs outside such a transaction.
    pub(super) fn qualify(&self, statement: &str) -> AssertSqlSafe<String> {
        const BEFORE: [&str; 4] = ["FROM ", "JOIN ", "INTO ", "UPDATE "];
        let mut qualified = String::with_capacity(statement.len() + 8 * (self.quoted.len() + 1));
        let mut rest = 0;
        for (start, _) in statement.match_indices("tower_api_key") {
            if BEFORE.iter().any(|word| statement[..start].ends_with(word)) {
                qualified.extend([&statement[rest..start], &self.quoted, "."]);
                rest = start;
            }
        }
        qualified.push_str(&statement[rest..]);
        AssertSqlSafe(qualified)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_with_their_schema_and_columns_and_channels_are_not() {
        let namespace = Namespace::named("a\"b");
        for (statement, expected) in [
            (
                "SELECT tower_api_key.id FROM tower_api_key JOIN tower_api_key_user u",
                "SELECT tower_api_key.id FROM \"a\"\"b\".tower_api_key JOIN \"a\"\"b\".tower_api_key_user u",
            ),
            ("INSERT INTO tower_api_key_node", "INSERT INTO \"a\"\"b\".tower_api_key_node"),
            ("UPDATE tower_api_key_node SET seen = 1", "UPDATE \"a\"\"b\".tower_api_key_node SET seen = 1"),
            ("SELECT pg_notify('tower_api_key', '')", "SELECT pg_notify('tower_api_key', '')"),
        ] {
            assert_eq!(namespace.qualify(statement).0, expected);
        }
    }
}
