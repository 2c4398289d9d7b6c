//! Which entries a full cache keeps.

use support::probe::Probe;
use support::{Key, build};
use tower_api_key::{Authenticator, MemoryStore};

/// Keys in a store, and a cache with room for some of them.
struct World {
    authenticator: Authenticator,
    backend: Probe<MemoryStore>,
    keys: Vec<Key>,
}

impl World {
    async fn new(keys: usize, capacity: u64) -> Self {
        let store = MemoryStore::new();
        let mut inserted = Vec::new();
        for number in 0..keys {
            inserted.push(Key::foreign(&format!("key-{number}")).insert_into(&store).await);
        }
        let backend = Probe::over(store);
        let (authenticator, _clock) =
            build(Authenticator::builder(backend.clone()).positive_capacity(capacity));
        Self { authenticator, backend, keys: inserted }
    }

    /// Presents a key, and returns whether the cache has answered.
    async fn hits(&self, key: usize) -> bool {
        let before = self.backend.reads();
        let request = self.keys[key].bearer();
        assert!(self.authenticator.authenticate(request.headers()).await.is_ok());
        self.backend.reads() == before
    }
}

#[tokio::test]
async fn a_flood_of_good_keys_evicts_no_key_that_is_in_use() {
    const USED: usize = 50;
    const FLOOD: usize = 1_000;
    let world = World::new(USED + FLOOD, 100).await;
    for _ in 0..2 {
        for key in 0..USED {
            world.hits(key).await;
        }
    }
    for number in 0..FLOOD {
        world.hits(USED + number).await;
        assert!(world.hits(number % USED).await, "evicted by key {number}");
    }
}
