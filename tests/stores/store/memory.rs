//! The store in memory.

use tower_api_key::MemoryStore;

mod contract {
    tower_api_key_contract::key_store!(super::open);
    tower_api_key_contract::further_digests!(super::open);
    tower_api_key_contract::further_digests_of_owners!(super::open);
    tower_api_key_contract::owner_store!(super::open);
    tower_api_key_contract::plan_store!(super::open);
    tower_api_key_contract::plans_of_owners!(super::open);
    tower_api_key_contract::usage_store!(super::open);
    tower_api_key_contract::usage_of_owners!(super::open);
    tower_api_key_contract::audit_log!(super::open);
    tower_api_key_contract::audit_log_of_owners!(super::open);
}

async fn open() -> (MemoryStore, ()) {
    (MemoryStore::new(), ())
}
