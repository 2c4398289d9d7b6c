//! More concurrent changes than a store makes, while they are blocked.

use tokio::task::JoinSet;
use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyFilter, KeyStore};
use tower_api_key::reject::Reason;

use crate::store::caller::Caller;
use crate::store::samples;

const CHANGES: usize = 300;

/// The changes that may wait, and those that a store makes concurrently, some of which may wait for a connection.
const QUEUE: usize = 256;
const TAKEN: usize = QUEUE + 2;

/// Requests changes of a store that makes none until `release` is called.
pub(crate) async fn changes_beyond_the_queue_are_rejected_at_once<S: KeyStore + Clone>(
    store: S,
    release: impl AsyncFnOnce(),
) {
    let caller = Caller::of(&store);
    let mut changes = JoinSet::new();
    for number in 0..CHANGES {
        let store = store.clone();
        changes.spawn(async move {
            store.change(KeyChange::insert(samples::plain(&format!("key-{number:03}")))).await
        });
    }
    for _ in TAKEN..CHANGES {
        let rejected = changes.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(rejected.kind(), BackendErrorKind::Busy, "{rejected}");
    }
    // Neither lookups nor lists wait for them.
    assert_eq!(caller.present("key-000").await, Err(Reason::Unknown));
    let before = store.list(&KeyFilter::all(), None, CHANGES).await.unwrap().len();
    release().await;
    let made: Vec<_> = changes.join_all().await.into_iter().filter(Result::is_ok).collect();
    assert!((QUEUE..=TAKEN).contains(&made.len()), "{} of {CHANGES}", made.len());
    assert_eq!(store.list(&KeyFilter::all(), None, CHANGES).await.unwrap().len(), before + made.len());
}
