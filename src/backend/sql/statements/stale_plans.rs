//! Prepared statements that no longer fit the tables.

use sqlx::Connection;
use sqlx::error::DatabaseError;

use super::dialect::is_stale_plan;
use super::pooled_connection::PooledConnection;
use crate::backend::BackendError;

impl PooledConnection {
    /// Clears the prepared statements if one was stale because the columns of a table have changed. Returns whether to retry.
    pub(in super::super) async fn clear_stale_plans<T>(&mut self, result: &Result<T, BackendError>) -> bool {
        let error = result.as_ref().err().and_then(database_error);
        error.is_some_and(is_stale_plan) && self.clear_cached_statements().await.is_ok()
    }
}

/// Returns the database error that caused another one.
pub(super) fn database_error(error: &BackendError) -> Option<&dyn DatabaseError> {
    error.cause()?.downcast_ref::<sqlx::Error>()?.as_database_error()
}
