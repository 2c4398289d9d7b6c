//! The store in a PostgreSQL database.
//!
//! `TEST_POSTGRES_URL` names a server in which databases may be created. Without it, these tests report that they are skipped;
//! `.ci/run` starts a server, and does not let them skip.

mod acknowledged;
mod altered;
mod encodings;
mod feed;
mod fleet;
mod isolation;
mod limited;
mod limits;
mod many;
mod metering;
mod nodes;
mod opening;
mod pooler;
mod replicas;
mod restoring;
mod returning;
mod rights;
mod schemas;
mod sessions;
mod waiting;

use tower_api_key::PostgresStore;

pub(crate) use support::postgres::{Database, is_absent};

keeps_the_contract!(crate::store::postgres::open, unless crate::store::postgres::is_absent);
keeps_an_audit_log!(crate::store::postgres::open, unless crate::store::postgres::is_absent);

pub(crate) async fn open() -> (PostgresStore, Database) {
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    (store, database)
}
