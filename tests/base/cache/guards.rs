//! An invalidation is sent after its change is made, and not before: a read in between would keep the state from before the change under a
//! generation from after it.
//!
//! The patches in `tests/guards` remove one guard each, for `.ci/guards`.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use support::probe::Probe;
use support::{Key, authenticator, revocation, store_with_key};
use tokio::sync::Notify;
use tower_api_key::backend::{Backend, Invalidation, Invalidator, KeyChange, KeyStore};
use tower_api_key::clock::{Clock, ManualClock, Moment};
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, MemoryStore, Reason, Timestamp};

async fn reason_of(authenticator: &Authenticator, key: &Key) -> Option<Reason> {
    let outcome = authenticator.authenticate(key.bearer().headers()).await;
    outcome.err().map(|rejection| rejection.reason().clone())
}

#[tokio::test]
async fn a_read_between_setting_and_committing_a_change_does_not_count_after_the_commit() {
    let (store, changes) = (MemoryStore::new(), Invalidator::new());
    let backend = Probe::over(store.clone()).invalidated_by(&changes);
    let (authenticator, _clock) = authenticator(backend);
    let key = Key::mint();
    let (armed, read) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let creation = tokio::spawn({
        let (record, armed, read) = (key.record.clone(), Arc::clone(&armed), Arc::clone(&read));
        async move {
            changes
                .commit(async move |mut announcement| {
                    announcement.set(Invalidation::Changed(record.digest));
                    armed.notify_one();
                    read.notified().await;
                    store.change(KeyChange::insert(record)).await
                })
                .await
        }
    });
    armed.notified().await;
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unknown));
    read.notify_one();
    creation.await.unwrap().unwrap();
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

/// A clock that reads the store whenever it is read, as it is during an invalidation.
#[derive(Debug)]
struct Witness {
    clock: ManualClock,
    store: MemoryStore,
    digest: Digest,
    was_revoked: Mutex<Vec<bool>>,
}

impl Clock for Witness {
    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn monotonic(&self) -> Moment {
        let Poll::Ready(found) =
            pin!(self.store.find(&self.digest)).poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("a store in memory answers at once");
        };
        self.was_revoked.lock().unwrap().push(found.unwrap().unwrap().revoked.is_some());
        self.clock.monotonic()
    }
}

#[tokio::test]
async fn the_store_in_memory_is_changed_before_the_invalidation() {
    let (store, key) = store_with_key().await;
    let witness = Arc::new(Witness {
        clock: ManualClock::new(support::START),
        store: store.clone(),
        digest: key.record.digest,
        was_revoked: Mutex::default(),
    });
    let _listener = Authenticator::builder(store.clone()).with_clock(Arc::clone(&witness)).build().unwrap();
    witness.was_revoked.lock().unwrap().clear();
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(*witness.was_revoked.lock().unwrap(), [true]);
}
