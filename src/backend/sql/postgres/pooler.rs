//! Detects poolers that give each transaction another session, and lose prepared statements.

// Layer 3 of 10: storage.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use tokio::time::timeout;

use crate::backend::{BackendError, BackendErrorKind};
use crate::random::unique_name;

/// The timeouts of the probe and of each of its queries, for which a pooler may wait for a session.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_QUERY_TIMEOUT: Duration = Duration::from_secs(1);

const SESSION_ID: &str = "SELECT pg_backend_pid()";

/// Refuses connections through a pooler that loses prepared statements. If the probe fails, the connections are accepted: a
/// server without a second connection is no such pooler.
pub(super) async fn check(options: &PgConnectOptions) -> Result<(), BackendError> {
    // Without its cache, the driver prepares and executes a statement in two transactions anyway, so the option of an application
    // does not matter.
    let options = options.clone().statement_cache_capacity(1);
    match timeout(PROBE_TIMEOUT, loses_prepared_statements(&options)).await {
        Ok(Ok(true)) => Err(BackendError::new(
            BackendErrorKind::Invalid,
            "cannot use a pooler that loses prepared statements between transactions, such as PgBouncer in transaction mode before \
             version 1.21, or with `max_prepared_statements = 0`. Use PgBouncer 1.21 or later with `max_prepared_statements` above 0, \
             `pool_mode = session`, or a direct connection to the server",
        )),
        _ => Ok(()),
    }
}

/// Prepares a statement, has the pooler give its session to another connection, and executes the statement again.
async fn loses_prepared_statements(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut first = PgConnection::connect_with(options).await?;
    let mut second = PgConnection::connect_with(options).await?;
    // A session may still have statements of earlier connections, under the same names.
    let token = unique_name();
    let Some(session) = run_prepared(&mut first, &token).await? else { return Ok(true) };
    // A pooler gives the last used session to the next transaction.
    let mut transaction = second.begin().await?;
    let lent: i32 = sqlx::raw_sql(SESSION_ID).fetch_one(&mut *transaction).await?.try_get(0)?;
    let is_lost = match timeout(PROBE_QUERY_TIMEOUT, run_prepared(&mut first, &token)).await {
        Ok(again) => again?.is_none(),
        // The pooler has one session.
        Err(_) => lent == session,
    };
    let _ = transaction.rollback().await;
    for connection in [first, second] {
        let _ = connection.close().await;
    }
    Ok(is_lost)
}

/// Returns the session that executes a prepared statement. `None` if it does not have the statement, or has that of another
/// connection.
async fn run_prepared(connection: &mut PgConnection, token: &str) -> Result<Option<i32>, sqlx::Error> {
    let statement = AssertSqlSafe(format!("{SESSION_ID}, '{token}'"));
    match sqlx::query_as::<_, (i32, String)>(statement).fetch_one(connection).await {
        Ok((session, found)) => Ok((found == token).then_some(session)),
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a statement has failed that any session can execute: it is missing (SQLSTATE 26000), or another statement has
/// its name (42P05) or was executed instead. A server that shuts down (57P01) or is unreachable proves nothing.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => false,
        sqlx::Error::Database(error) => !error.code().is_some_and(|code| code.starts_with("57P")),
        _ => true,
    }
}
