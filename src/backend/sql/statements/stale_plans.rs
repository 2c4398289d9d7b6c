//! Statements that a connection has prepared, and that no longer fit the tables.

use sqlx::Connection;
use sqlx::error::DatabaseError;

use super::dialect::is_stale_plan;
use super::pooled_connection::PooledConnection;
use crate::backend::BackendError;

impl PooledConnection {
    /// Returns whether the question has to be asked again: a prepared statement was refused because a table has changed its columns since.
    /// The connection forgets its prepared statements then.
    pub(in super::super) async fn clear_stale_plans<T>(&mut self, answer: &Result<T, BackendError>) -> bool {
        let error = answer.as_ref().err().and_then(database_error);
        error.is_some_and(is_stale_plan) && self.clear_cached_statements().await.is_ok()
    }
}

/// Returns the error of the database that caused another one.
pub(super) fn database_error(error: &BackendError) -> Option<&dyn DatabaseError> {
    error.cause()?.downcast_ref::<sqlx::Error>()?.as_database_error()
}
