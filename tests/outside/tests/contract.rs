//! The guarantees of a store of keys.

use outside::MapStore;

async fn open() -> (MapStore, ()) {
    (MapStore::default(), ())
}

tower_api_key_contract::key_store!(open);
tower_api_key_contract::further_digests!(open);
