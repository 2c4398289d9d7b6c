//! The store in a PostgreSQL database.
//!
//! `TEST_POSTGRES_URL` names a server in which databases may be created. Without it, these tests report that they are skipped;
//! `.ci/run` starts a server, and does not let them skip.

mod acknowledged;
mod altered;
mod digests;
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
mod plans;
mod pooler;
mod quotas;
mod replicas;
mod restoring;
mod returning;
mod rights;
mod schemas;
mod sessions;
mod waiting;

use tower_api_key::PostgresStore;

pub(crate) use support::postgres::{Database, is_absent};

mod contract {
    tower_api_key_contract::key_store!(super::open, unless super::is_absent);
    tower_api_key_contract::further_digests!(super::open, unless super::is_absent);
    tower_api_key_contract::further_digests_of_owners!(super::open, unless super::is_absent);
    tower_api_key_contract::owner_store!(super::open, unless super::is_absent);
    tower_api_key_contract::plan_store!(super::open, unless super::is_absent);
    tower_api_key_contract::plans_of_owners!(super::open, unless super::is_absent);
    tower_api_key_contract::usage_store!(super::open, unless super::is_absent);
    tower_api_key_contract::usage_of_owners!(super::open, unless super::is_absent);
}

mod audit_log {
    tower_api_key_contract::audit_log!(super::open, unless super::is_absent);
    tower_api_key_contract::audit_log_of_owners!(super::open, unless super::is_absent);
}

pub(crate) async fn open() -> (PostgresStore, Database) {
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    (store, database)
}
