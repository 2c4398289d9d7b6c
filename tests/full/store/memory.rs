//! The store in memory.

use tower_api_key::MemoryStore;

keeps_the_contract!(crate::store::memory::open);

async fn open() -> (MemoryStore, ()) {
    (MemoryStore::new(), ())
}
