//! The option by which the server ends statements whose client has closed the connection. It is tried on a separate connection.

// Layer 3 of 10: storage.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Postgres};
use tokio::time::timeout;

use crate::backend::sql::derived_pool::AdaptOptions;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const SETTING: &str = "client_connection_check_interval";

/// Returns options by which the server ends a statement within a second after its client closes the connection. A lookup that
/// times out closes its connection: without this, each would occupy a connection of the server for as long as a table is locked.
///
/// PostgreSQL before version 14, servers on some operating systems and PgBouncer refuse a connection with this setting. The
/// options stay unchanged there, for another server than the one that was tried, and if they have an interval already.
pub(super) async fn end_statements_with_client(options: &PgConnectOptions) -> AdaptOptions<Postgres> {
    let tried = check_client(options.clone());
    match timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&tried)).await {
        Ok(Ok(connection)) => {
            let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
            Arc::new(
                move |options| {
                    if server(&options) == server(&tried) { check_client(options) } else { options }
                },
            )
        }
        _ => Arc::new(|options| options),
    }
}

fn server(options: &PgConnectOptions) -> (&str, u16, Option<&PathBuf>) {
    (options.get_host(), options.get_port(), options.get_socket())
}

fn check_client(options: PgConnectOptions) -> PgConnectOptions {
    match options.get_options() {
        Some(own) if own.contains(SETTING) => options,
        _ => options.options([(SETTING, "1s")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_the_application_stays() {
        let plain = PgConnectOptions::new_without_pgpass();
        let own = plain.clone().options([(SETTING, "5s")]);
        assert_eq!(check_client(own.clone()).get_options(), own.get_options());
        assert!(check_client(plain).get_options().is_some_and(|options| options.contains("=1s")));
    }
}
