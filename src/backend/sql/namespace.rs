//! The schema of the tables, whatever the search path of a session.
//!
//! An unqualified name means the first table of that name in the search path. With `"$user", public`, that changes once a schema
//! with the name of the role has such tables, and a session of an application may have any search path.
//!
//! This file makes texts only. A file that begins a transaction, or runs a statement outside one, gets the text here; sessions do not.

// Layer 3 of 10: storage.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The schema of the tables.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// The name, quoted as an identifier. `None` for a file, in which the names of tables are unique.
    quoted: Option<Arc<str>>,
}

impl Namespace {
    #[cfg(feature = "sqlite")]
    pub(super) const OF_FILE: Self = Self { quoted: None };

    #[cfg(feature = "postgres")]
    pub(super) fn named(name: &str) -> Self {
        Self { quoted: Some(format!("\"{}\"", name.replace('"', "\"\"")).into()) }
    }

    /// Returns the statement that begins a transaction in the schema.
    pub(super) fn begin(&self, begin: impl Into<Cow<'static, str>>) -> SqlStr {
        let begin = begin.into();
        AssertSqlSafe(match self.set_search_path() {
            Some(set) => format!("{begin}; {set}").into(),
            None => begin,
        })
        .into_sql_str()
    }

    /// Returns the statement that sets the schema for a transaction. The rest of the search path follows it: triggers of an
    /// application may need it.
    pub(super) fn set_search_path(&self) -> Option<String> {
        let text = self.quoted.as_ref()?.replace('\\', r"\\").replace('\'', "''");
        Some(format!(
            "SELECT set_config('search_path', concat_ws(', ', E'{text}', nullif(current_setting('search_path'), '')), TRUE)"
        ))
    }

    /// Qualifies the tables of a statement that runs outside such a transaction.
    pub(super) fn qualify(&self, statement: &'static str) -> AssertSqlSafe<Cow<'static, str>> {
        const BEFORE: [&str; 5] = ["FROM ", "JOIN ", "INTO ", "UPDATE ", "TABLE "];
        let Some(quoted) = self.quoted.as_deref() else { return AssertSqlSafe(statement.into()) };
        let mut qualified = String::with_capacity(statement.len() + 8 * (quoted.len() + 1));
        let mut rest = 0;
        for (start, _) in statement.match_indices("tower_api_key") {
            if BEFORE.iter().any(|word| statement[..start].ends_with(word)) {
                qualified.extend([&statement[rest..start], quoted, "."]);
                rest = start;
            }
        }
        qualified.push_str(&statement[rest..]);
        AssertSqlSafe(qualified.into())
    }
}

#[cfg(all(test, feature = "postgres"))]
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
            ("LOCK TABLE tower_api_key_quota", "LOCK TABLE \"a\"\"b\".tower_api_key_quota"),
            ("SELECT pg_notify('tower_api_key', '')", "SELECT pg_notify('tower_api_key', '')"),
        ] {
            assert_eq!(namespace.qualify(statement).0, expected);
        }
    }
}
