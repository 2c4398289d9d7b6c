//! Statements that a client no longer waits for, and that the server would go on with.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::statements::AdaptOptions;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns how to connect such that the server ends a statement within a second after its client has closed the connection. A lookup that
/// meets its deadline closes one, so while a table is locked each would leave a connection of the server until the lock is released.
///
/// PostgreSQL before version 14, a server on a system that cannot do it and PgBouncer refuse a connection with this setting. There the
/// options stay as they are.
pub(super) async fn end_statements_with_client(options: &PgConnectOptions) -> AdaptOptions {
    let checking = check_client(options.clone());
    match timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&checking)).await {
        Ok(Ok(connection)) => {
            let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
            check_client
        }
        _ => |options| options,
    }
}

fn check_client(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("client_connection_check_interval", "1s")])
}
