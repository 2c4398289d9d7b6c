//! Statements that continue on the server after their client has closed the connection.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::statements::AdaptOptions;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns options by which the server ends a statement within a second after its client closes the connection. A lookup that
/// times out closes its connection: without this, each would occupy a connection of the server for as long as a table is locked.
///
/// PostgreSQL before version 14, servers on some operating systems and PgBouncer refuse a connection with this setting. The
/// options stay unchanged there.
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
