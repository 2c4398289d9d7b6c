//! Conversion of the errors of the driver.

use sqlx::error::DatabaseError;

use super::dialect::is_unrepresentable;
use crate::backend::BackendError;

/// Converts the error of a query: an undecodable row, an invalid parameter, or an unavailable store.
pub(super) fn read_error(error: sqlx::Error) -> BackendError {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => BackendError::corrupt(error),
        error if has_unrepresentable_value(&error) => BackendError::invalid(error),
        error => BackendError::unavailable(error),
    }
}

/// Returns whether a parameter is a value that the database can never hold. No row can match it.
pub(super) fn has_unrepresentable_value(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(is_unrepresentable)
}

/// Converts the error of a statement that writes rows.
pub(super) fn write_error(error: sqlx::Error) -> BackendError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => BackendError::conflict(),
        error if has_unrepresentable_value(&error) => BackendError::invalid(error),
        error => BackendError::unavailable(error),
    }
}

/// Returns the database error that caused another one.
pub(super) fn database_error(error: &BackendError) -> Option<&dyn DatabaseError> {
    error.cause()?.downcast_ref::<sqlx::Error>()?.as_database_error()
}
