//! A connection, as the statements use it: the same for each database. Statements and rows above it do not import sqlx.

// Layer 3 of 10: storage.

use std::fmt::Debug;

use sqlx::database::HasStatementCache;
use sqlx::error::{DatabaseError, UnexpectedNullError};
use sqlx::{Connection, SqlStr, Transaction};

use super::dialect::Dialect;
use super::statement::Statement;
use crate::backend::{BackendError, BoxFuture};

/// The driver of a database that has a store.
pub trait Driver: sqlx::Database<Connection: Session> + HasStatementCache {
    const DIALECT: &'static Dialect;
}

/// Begins a transaction. A `&'static str` instead of the [`SqlStr`] would keep the compiler from seeing that futures are [`Send`].
pub(super) async fn begin<D: Driver>(
    connection: &mut D::Connection,
    statement: SqlStr,
) -> Result<Transaction<'_, D>, BackendError> {
    connection.begin_with(statement).await.map_err(BackendError::unavailable)
}

/// A connection that executes statements.
pub trait Session: Send {
    fn dialect(&self) -> &'static Dialect;

    /// Executes a statement, and returns the number of affected rows.
    fn execute<'s>(&'s mut self, statement: &'s Statement) -> BoxFuture<'s, u64>;

    /// Executes a statement, and passes each row on while further ones arrive.
    fn fetch_each<'s>(&'s mut self, statement: &'s Statement, each: Each<'s>) -> BoxFuture<'s, ()>;

    /// Executes a statement, and returns its first row.
    fn fetch_optional<'s>(&'s mut self, statement: &'s Statement) -> BoxFuture<'s, Option<Row>>;

    /// Executes several statements without values.
    fn execute_script(&mut self, script: &'static str) -> BoxFuture<'_, ()>;
}

pub(super) type Each<'s> = &'s mut (dyn FnMut(Row) + Send);

impl dyn Session + '_ {
    /// Executes a statement, and returns its rows decoded.
    pub(super) async fn fetch<T: Send>(
        &mut self,
        statement: &Statement,
        decode: impl Fn(&Row) -> Result<T, BackendError> + Sync,
    ) -> Result<Vec<T>, BackendError> {
        let mut rows = Vec::new();
        self.fetch_each(statement, &mut |row| rows.push(decode(&row))).await?;
        rows.into_iter().collect()
    }
}

/// The columns of a row, by name.
pub(super) trait Columns: Debug + Send + Sync {
    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error>;
    fn blob(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
    fn int(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn flag(&self, column: &str) -> Result<Option<bool>, sqlx::Error>;
}

/// A row.
#[derive(Debug)]
pub struct Row(pub(super) Box<dyn Columns>);

impl Row {
    /// Decodes a column.
    ///
    /// # Errors
    ///
    /// If it has another type, or is `NULL` where a value is required: by itself, sqlx decodes an SQL `NULL` as an empty text.
    pub(super) fn get<T: Column>(&self, column: &str) -> Result<T, BackendError> {
        T::get(&*self.0, column).map_err(BackendError::corrupt)
    }
}

/// A type of columns.
pub(super) trait Column: Sized {
    fn get(row: &dyn Columns, column: &str) -> Result<Self, sqlx::Error>;
}

macro_rules! columns {
    ($($type:ty: $get:ident,)*) => {
        $(impl Column for Option<$type> {
            fn get(row: &dyn Columns, column: &str) -> Result<Self, sqlx::Error> {
                row.$get(column)
            }
        }

        impl Column for $type {
            fn get(row: &dyn Columns, column: &str) -> Result<Self, sqlx::Error> {
                row.$get(column)?.ok_or_else(|| sqlx::Error::ColumnDecode {
                    index: column.to_owned(),
                    source: UnexpectedNullError.into(),
                })
            }
        })*
    };
}

columns! { String: text, Vec<u8>: blob, i64: int, bool: flag, }

/// Implements [`Driver`], [`Session`] and [`Columns`] for a database of sqlx. A generic implementation would name the encodings of all
/// values as bounds.
macro_rules! driver {
    ($database:ty, $connection:ty, $row:ty, $dialect:expr) => {
        impl $crate::backend::sql::session::Driver for $database {
            const DIALECT: &'static Dialect = $dialect;
        }

        const _: () = {
            use sqlx::{Arguments as _, AssertSqlSafe, Executor, Row as _};
            use $crate::backend::sql::session::{Columns, Each, Row, Session, error};
            use $crate::backend::sql::statement::{Statement, Value};
            use $crate::backend::{BackendError, BoxFuture};

            type Arguments = <$database as sqlx::Database>::Arguments;
            type Query<'q> = sqlx::query::Query<'q, $database, Arguments>;

            fn query(statement: &Statement) -> Result<Query<'_>, BackendError> {
                let mut arguments = Arguments::default();
                for value in &statement.values {
                    let added = match value {
                        Value::Text(text) => arguments.add(text),
                        Value::Blob(bytes) => arguments.add(bytes),
                        Value::Int(number) => arguments.add(number),
                        Value::Count(number) => arguments.add(number),
                        Value::Bool(flag) => arguments.add(flag),
                    };
                    added.map_err(BackendError::invalid)?;
                }
                let query = sqlx::query_with(AssertSqlSafe(statement.sql.clone()), arguments);
                Ok(query.persistent(statement.is_persistent))
            }

            impl Session for $connection {
                fn dialect(&self) -> &'static Dialect {
                    $dialect
                }

                fn execute<'s>(&'s mut self, statement: &'s Statement) -> BoxFuture<'s, u64> {
                    Box::pin(async {
                        let executed = Executor::execute(self, query(statement)?).await;
                        Ok(executed.map_err(|cause| error($dialect, cause))?.rows_affected())
                    })
                }

                fn fetch_each<'s>(
                    &'s mut self,
                    statement: &'s Statement,
                    each: Each<'s>,
                ) -> BoxFuture<'s, ()> {
                    Box::pin(async {
                        let rows =
                            query(statement)?.map(|row| each(Row(Box::new(row)))).fetch_all(self).await;
                        rows.map(drop).map_err(|cause| error($dialect, cause))
                    })
                }

                fn fetch_optional<'s>(&'s mut self, statement: &'s Statement) -> BoxFuture<'s, Option<Row>> {
                    Box::pin(async {
                        let row = Executor::fetch_optional(self, query(statement)?).await;
                        Ok(row.map_err(|cause| error($dialect, cause))?.map(|row| Row(Box::new(row))))
                    })
                }

                fn execute_script(&mut self, script: &'static str) -> BoxFuture<'_, ()> {
                    Box::pin(async move {
                        let executed = Executor::execute(self, sqlx::raw_sql(script)).await;
                        executed.map(drop).map_err(BackendError::unavailable)
                    })
                }
            }

            impl Columns for $row {
                fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
                    self.try_get(column)
                }

                fn blob(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
                    self.try_get(column)
                }

                fn int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
                    self.try_get(column)
                }

                fn flag(&self, column: &str) -> Result<Option<bool>, sqlx::Error> {
                    self.try_get(column)
                }
            }
        };
    };
}
pub(super) use driver;

/// Converts the error of a statement: a value that the database can never hold, or an unavailable store.
pub(super) fn error(dialect: &Dialect, error: sqlx::Error) -> BackendError {
    match error.as_database_error() {
        Some(cause) if has_code(cause, dialect.unrepresentable) => BackendError::invalid(error),
        _ => BackendError::unavailable(error),
    }
}

/// Returns whether an error was caused by an error of the database with one of these codes.
pub(super) fn is_caused_by(error: &BackendError, codes: &[&str]) -> bool {
    database_error(error).is_some_and(|cause| has_code(cause, codes))
}

/// Returns whether an error was caused by a row that exists already.
pub(super) fn is_unique_violation(error: &BackendError) -> bool {
    database_error(error).is_some_and(DatabaseError::is_unique_violation)
}

fn database_error(error: &BackendError) -> Option<&dyn DatabaseError> {
    error.cause()?.downcast_ref::<sqlx::Error>()?.as_database_error()
}

fn has_code(error: &dyn DatabaseError, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&&*code))
}
