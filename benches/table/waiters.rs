//! The number of lookups when many requests wait for the same key.

use futures_util::future::join_all;
use tower_api_key_benches::counting::Counting;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::keys;
use tower_api_key_benches::order::Order;
use tower_api_key_benches::requests::Requests;
use tower_api_key_benches::stacks::{Body, layer};

/// The number of waiting requests.
pub(crate) const WAITERS: usize = 1_000;

/// Sends the requests at once, and returns the number of lookups.
pub(crate) fn reads() -> u64 {
    runtime().block_on(async {
        let texts = keys::texts(1);
        let store = Counting::new(keys::store(&texts).await, keys::record(0, &texts[0]).digest);
        let authenticator = layer::builder(store.clone()).build().unwrap();
        let request = Requests::bearer(&texts, Order::InTurn).make::<Body>();
        let asking = (0..WAITERS).map(|_| authenticator.authenticate(request.headers()));
        for admitted in join_all(asking).await {
            admitted.unwrap();
        }
        store.reads()
    })
}
