//! Facts that the cache keeps, and facts that it must not keep.

use std::future::{pending, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use support::probe::{Call, Fault, Probe};
use support::{Key, START, authenticator, build, revocation, store_with_key};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower_api_key::backend::{
    Backend, BackendError, Invalidation, Invalidator, KeyChange, KeyStore, KeyUpdate, OwnerStore, UsageStore,
};
use tower_api_key::clock::{Clock, ManualClock, Moment, Timestamp};
use tower_api_key::record::Disabling;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{Authenticator, AuthenticatorBuilder, MemoryStore, Principal, Reason, Record, Rejection};

type Outcome = Result<Principal, Rejection>;

async fn present(authenticator: &Authenticator, key: &Key) -> Outcome {
    authenticator.authenticate(key.bearer().headers()).await
}

fn reason(outcome: Outcome) -> Option<Reason> {
    outcome.err().map(|rejection| rejection.reason().clone())
}

async fn reason_of(authenticator: &Authenticator, key: &Key) -> Option<Reason> {
    reason(present(authenticator, key).await)
}

/// Presents a key in a task of its own.
fn spawn_presenting(authenticator: &Authenticator, key: &Key) -> JoinHandle<Outcome> {
    let (authenticator, key) = (authenticator.clone(), key.clone());
    tokio::spawn(async move { present(&authenticator, &key).await })
}

/// Presents 200 unknown keys at once.
fn spawn_a_flood(authenticator: &Authenticator) -> Vec<JoinHandle<Outcome>> {
    let unknown = |index| Key::foreign(&format!("unknown-{index}"));
    (0..200).map(|index| spawn_presenting(authenticator, &unknown(index))).collect()
}

/// Starts to present a key, and waits until the store is read.
async fn start_presenting<B: Backend>(
    authenticator: &Authenticator,
    key: &Key,
    backend: &Misbehaving<B>,
) -> JoinHandle<Outcome> {
    let before = backend.reads();
    let task = spawn_presenting(authenticator, key);
    while backend.reads() == before {
        tokio::task::yield_now().await;
    }
    task
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_record_is_read_once_and_kept_for_its_time_to_live() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, clock) = authenticator(backend.clone());
    for _ in 0..3 {
        assert_eq!(reason_of(&authenticator, &key).await, None);
    }
    assert_eq!(backend.reads(), 1);

    clock.advance(Duration::from_secs(60));
    assert_eq!(reason_of(&authenticator, &key).await, None);
    assert_eq!(backend.reads(), 2);
}

#[tokio::test]
async fn a_record_is_as_old_as_the_start_of_its_read() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let deadline = Duration::from_secs(60);
    let (authenticator, clock) = build(Authenticator::builder(backend.clone()).deadline(deadline));
    backend.set(Behaviour::Hold);
    let reader = start_presenting(&authenticator, &key, &backend).await;
    clock.advance(Duration::from_secs(59));
    backend.set(Behaviour::Behave);
    assert_eq!(reason(reader.await.unwrap()), None);
    assert_eq!(backend.reads(), 1);

    clock.advance(Duration::from_secs(1));
    assert_eq!(reason_of(&authenticator, &key).await, None);
    assert_eq!(backend.reads(), 2);
}

#[tokio::test]
async fn no_more_records_are_kept_than_the_capacity() {
    const KEYS: u64 = 2_000;
    let store = MemoryStore::new();
    let mut keys = Vec::new();
    for index in 0..KEYS {
        keys.push(Key::foreign(&format!("key-{index}")).insert_into(&store).await);
    }
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = build(Authenticator::builder(backend.clone()).positive_capacity(100));
    for _ in 0..2 {
        for key in &keys {
            assert_eq!(reason_of(&authenticator, key).await, None);
        }
    }
    assert!(backend.reads() > 2 * KEYS - 500, "{} reads", backend.reads());
}

#[tokio::test]
async fn a_capacity_of_zero_turns_the_cache_off() {
    is_off(|builder| builder.positive_capacity(0).negative_capacity(0)).await;
}

/// Every request reads the store.
async fn is_off(settings: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = build(settings(Authenticator::builder(backend.clone())));
    for reads in [1, 2] {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        assert_eq!(backend.reads(), reads);
    }
    for reads in [3, 4] {
        assert_eq!(reason_of(&authenticator, &Key::foreign("unknown")).await, Some(Reason::Unknown));
        assert_eq!(backend.reads(), reads);
    }
}

#[tokio::test]
async fn a_record_is_kept_for_nine_tenths_of_its_time_to_live_and_never_longer_than_it() {
    const KEYS: u64 = 200;
    let store = MemoryStore::new();
    let backend = Misbehaving::new(store.clone());
    let (authenticator, clock) =
        build(Authenticator::builder(backend.clone()).positive_ttl(Duration::from_secs(60)));
    let mut keys = Vec::new();
    for number in 0..KEYS {
        // With and without an expiry in the future.
        let end = (number % 2 == 0).then_some(START.saturating_add(Duration::from_secs(86_400)));
        keys.push(Key::mint().with(|record| record.expires_at = end).insert_into(&store).await);
    }
    for (seconds, reads) in [(0, KEYS), (54, KEYS), (6, 2 * KEYS)] {
        clock.advance(Duration::from_secs(seconds));
        for key in &keys {
            assert_eq!(reason_of(&authenticator, key).await, None);
        }
        assert_eq!(backend.reads(), reads);
    }
}

#[tokio::test]
async fn a_key_whose_first_use_is_not_recorded_is_read_each_time() {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| record.first_use_grace = Some(Duration::ZERO));
    let key = key.insert_into(&store).await;
    let backend = Misbehaving::new(store.clone());
    let (forgetful, _clock) = authenticator(Probe::reading(backend.clone()));
    for reads in 1..=3 {
        assert_eq!(reason_of(&forgetful, &key).await, None);
        assert_eq!(backend.reads(), reads);
    }
    let (noting, _clock) = authenticator(backend.clone());
    assert_eq!(reason_of(&noting, &key).await, None);
    while store.find(&key.record.digest).await.unwrap().unwrap().first_use_grace.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(reason_of(&noting, &key).await, None);
    let reads = backend.reads();
    assert_eq!(reason_of(&noting, &key).await, None);
    assert_eq!(backend.reads(), reads);
}

#[test]
fn a_first_use_that_ended_with_its_runtime_is_recorded_in_the_next_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (store, waits) = (MemoryStore::new(), Arc::new(AtomicBool::new(true)));
    let first = runtime();
    let key = first.block_on(async {
        let key = Key::mint().with(|record| record.first_use_grace = Some(Duration::ZERO));
        key.insert_into(&store).await
    });
    let hesitant = Probe::over(store.clone()).before({
        let waits = Arc::clone(&waits);
        move |call| {
            let waits = call == Call::Write && waits.load(Ordering::Relaxed);
            async move { if waits { pending().await } else { Ok(()) } }
        }
    });
    let (authenticator, _clock) = authenticator(hesitant);
    first.block_on(async {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        tokio::task::yield_now().await;
    });
    drop(first);
    waits.store(false, Ordering::Relaxed);
    runtime().block_on(async {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        while store.find(&key.record.digest).await.unwrap().unwrap().first_use_grace.is_some() {
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test]
async fn a_time_to_live_of_zero_turns_the_cache_off() {
    is_off(|builder| builder.positive_ttl(Duration::ZERO).negative_ttl(Duration::ZERO)).await;
}

#[tokio::test]
async fn an_unknown_key_is_kept_shortly() {
    let store = MemoryStore::new();
    let backend = Misbehaving::new(store.clone());
    let (authenticator, clock) = authenticator(backend.clone());
    let key = Key::mint();
    for _ in 0..2 {
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unknown));
    }
    assert_eq!(backend.reads(), 1);

    clock.advance(Duration::from_secs(5));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unknown));
    assert_eq!(backend.reads(), 2);

    let key = key.insert_into(&store).await;
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test]
async fn a_key_that_was_revoked_is_rejected_from_the_next_request_on() {
    let (store, key) = store_with_key().await;
    let (authenticator, _clock) = authenticator(store.clone());
    assert_eq!(reason_of(&authenticator, &key).await, None);
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
}

#[tokio::test]
async fn a_disabled_key_is_rejected_without_the_store_until_it_is_enabled() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store.clone());
    let (authenticator, clock) = authenticator(backend.clone());
    for _ in 0..2 {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        let disabling = Disabling::new(clock.wall(), "unusual traffic");
        store.change(KeyChange::disable(key.id(), disabling)).await.unwrap();
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Disabled));
        let reads = backend.reads();
        backend.set(Behaviour::Hang);
        for _ in 0..100 {
            assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Disabled));
        }
        backend.set(Behaviour::Behave);
        assert_eq!(backend.reads(), reads);
        store.change(KeyChange::enable(key.id(), clock.wall())).await.unwrap();
    }
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test]
async fn a_read_from_before_a_revocation_admits_no_request() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store.clone());
    let (authenticator, _clock) = authenticator(backend.clone());

    backend.set(Behaviour::Hold);
    let reader = start_presenting(&authenticator, &key, &backend).await;
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    backend.set(Behaviour::Behave);

    assert_eq!(reason(reader.await.unwrap()), Some(Reason::Revoked));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
}

#[tokio::test]
async fn no_request_joins_a_read_from_before_a_change() {
    let (store, key) = store_with_key().await;
    let changes = Invalidator::new();
    let backend = Probe::over(Misbehaving::new(store)).invalidated_by(&changes);
    let (authenticator, _clock) = authenticator(backend.clone());

    backend.get_ref().set(Behaviour::Hold);
    let early = start_presenting(&authenticator, &key, backend.get_ref()).await;
    changes.invalidate(Invalidation::Changed(key.record.digest));
    let late = start_presenting(&authenticator, &key, backend.get_ref()).await;
    assert_eq!(backend.reads(), 2);

    backend.get_ref().set(Behaviour::Behave);
    assert_eq!(reason(late.await.unwrap()), None);
    assert_eq!(reason(early.await.unwrap()), None);
}

#[tokio::test]
async fn a_replica_that_lags_behind_a_revocation_admits_no_request() {
    let (replica, key) = store_with_key().await;
    let changes = Invalidator::new();
    let backend = Probe::over(replica).invalidated_by(&changes);
    let (authenticator, _clock) = authenticator(backend.clone());
    assert_eq!(reason_of(&authenticator, &key).await, None);

    changes.invalidate(Invalidation::Revoked(key.record.digest));
    for _ in 0..2 {
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
    }
}

#[tokio::test]
async fn a_key_with_a_tombstone_is_rejected_without_the_store() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store.clone());
    let (authenticator, _clock) = authenticator(backend.clone());
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    backend.set(Behaviour::Hang);
    for _ in 0..100 {
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
    }
    assert_eq!(backend.reads(), 0);
}

#[tokio::test]
async fn the_store_decides_again_after_a_tombstone_has_expired() {
    let (store, key) = store_with_key().await;
    let changes = Invalidator::new();
    let backend = Probe::over(store).invalidated_by(&changes);
    let (authenticator, clock) = authenticator(backend.clone());
    changes.invalidate(Invalidation::Revoked(key.record.digest));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
    clock.advance(Duration::from_secs(10));
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test]
async fn after_a_change_of_everything_everything_is_read_again() {
    let (store, key) = store_with_key().await;
    let changes = Invalidator::new();
    let backend = Probe::over(Misbehaving::new(store)).invalidated_by(&changes);
    let (authenticator, _clock) = authenticator(backend.clone());
    let unknown = Key::mint();
    for _ in 0..2 {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        assert_eq!(reason_of(&authenticator, &unknown).await, Some(Reason::Unknown));
    }
    assert_eq!(backend.reads(), 2);
    changes.invalidate(Invalidation::Everything);
    assert_eq!(reason_of(&authenticator, &key).await, None);
    assert_eq!(reason_of(&authenticator, &unknown).await, Some(Reason::Unknown));
    assert_eq!(backend.reads(), 4);
}

#[tokio::test]
async fn an_outage_is_unavailable_and_is_not_kept() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = authenticator(backend.clone());
    for outage in [Behaviour::Fail, Behaviour::Panic] {
        let key = Key { text: key.text.clone(), ..key.clone() };
        backend.set(outage);
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unavailable), "{outage:?}");
    }
    backend.set(Behaviour::Behave);
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_waited_for_until_the_deadline_and_no_longer() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = authenticator(backend.clone());
    backend.set(Behaviour::Hang);
    let start = tokio::time::Instant::now();
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unavailable));
    assert_eq!(start.elapsed().as_millis() / 10, 50);
    backend.set(Behaviour::Behave);
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test]
async fn all_waiters_of_a_key_share_one_read_and_the_first_may_leave() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = authenticator(backend.clone());
    backend.set(Behaviour::Hold);
    let first = start_presenting(&authenticator, &key, &backend).await;
    let others: Vec<_> = (0..50).map(|_| spawn_presenting(&authenticator, &key)).collect();
    settle().await;
    first.abort();
    settle().await;
    backend.set(Behaviour::Behave);
    for other in others {
        assert_eq!(reason(other.await.unwrap()), None);
    }
    assert_eq!(backend.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_request_joins_a_read_that_is_overdue() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, clock) = authenticator(backend.clone());
    backend.set(Behaviour::Hold);
    let mut readers = vec![start_presenting(&authenticator, &key, &backend).await];
    clock.advance(Duration::from_millis(499));
    readers.push(spawn_presenting(&authenticator, &key));
    settle().await;
    assert_eq!(backend.reads(), 1);
    // As after a suspension of the process: the clock has advanced, and no timer has fired.
    clock.advance(Duration::from_millis(1));
    readers.push(spawn_presenting(&authenticator, &key));
    settle().await;
    assert_eq!(backend.reads(), 2);

    backend.set(Behaviour::Behave);
    for reader in readers {
        assert_eq!(reason(reader.await.unwrap()), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_suspended_during_a_read_reads_again() {
    for suspended in [false, true] {
        let (store, key) = store_with_key().await;
        let backend = Misbehaving::new(store);
        let (authenticator, clock) = authenticator(backend.clone());
        backend.set(Behaviour::Hold);
        let reader = start_presenting(&authenticator, &key, &backend).await;
        if suspended {
            // The monotonic clock may have stopped.
            clock.set_wall(support::START.saturating_add(Duration::from_secs(60)));
        } else {
            clock.advance_monotonic(Duration::from_secs(60));
        }
        backend.set(Behaviour::Behave);
        assert_eq!(reason(reader.await.unwrap()), None);
        assert_eq!(backend.reads(), 2);
    }
}

#[tokio::test]
async fn a_key_that_changes_during_every_read_is_unavailable_rather_than_guessed() {
    let (store, key) = store_with_key().await;
    let digest = key.record.digest;
    let changes = Invalidator::new();
    let sent = changes.clone();
    let backend = Probe::over(store).invalidated_by(&changes).before(move |_| {
        sent.invalidate(Invalidation::Changed(digest));
        ready(Ok(()))
    });
    let (authenticator, _clock) = authenticator(backend);
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unavailable));
}

#[tokio::test]
async fn a_record_of_another_key_is_an_outage_and_not_an_admission() {
    let key = Key::mint();
    let confused = Probe::answering(move |_| ready(Ok(Some(key.record.clone()))));
    let (authenticator, _clock) = authenticator(confused);
    assert_eq!(reason_of(&authenticator, &Key::mint()).await, Some(Reason::Unavailable));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_rejected_before_it_piles_up() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, _clock) = build(Authenticator::builder(backend.clone()).max_concurrent_lookups(1));
    assert_eq!(reason_of(&authenticator, &key).await, None);

    backend.set(Behaviour::Hold);
    let flood = spawn_a_flood(&authenticator);
    settle().await;
    assert_eq!(backend.reads(), 2, "one read for the good key, one for the first of the flood");
    let turned_away = flood.iter().filter(|task| task.is_finished()).count();
    assert!(turned_away >= 200 - 32, "{turned_away} turned away");

    assert_eq!(reason_of(&authenticator, &key).await, None, "the good key does not wait for the flood");
    backend.set(Behaviour::Behave);
    for task in flood {
        assert!(matches!(reason(task.await.unwrap()), Some(Reason::Unavailable | Reason::Unknown)));
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_delay_a_key_that_was_good_a_short_while_ago() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    let (authenticator, clock) = build(Authenticator::builder(backend.clone()).max_concurrent_lookups(1));
    assert_eq!(reason_of(&authenticator, &key).await, None);

    backend.set(Behaviour::Hold);
    let flood = spawn_a_flood(&authenticator);
    settle().await;

    clock.advance(Duration::from_secs(60));
    let again = start_presenting(&authenticator, &key, &backend).await;
    backend.set(Behaviour::Behave);
    assert_eq!(reason(again.await.unwrap()), None);
    for task in flood {
        assert!(task.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn the_waiters_of_one_key_are_bounded() {
    let (store, key) = store_with_key().await;
    let backend = Misbehaving::new(store);
    // No request times out while the others start, even on a slow machine.
    let patient = Authenticator::builder(backend.clone()).deadline(Duration::from_secs(60));
    let (authenticator, _clock) = build(patient);
    backend.set(Behaviour::Hold);
    let flood: Vec<_> = (0..5_000).map(|_| spawn_presenting(&authenticator, &key)).collect();
    settle().await;
    let turned_away = flood.iter().filter(|task| task.is_finished()).count();
    assert_eq!(turned_away, 5_000 - 4_096);
    backend.set(Behaviour::Behave);
    for task in flood {
        assert!(matches!(reason(task.await.unwrap()), None | Some(Reason::Unavailable)));
    }
    assert_eq!(backend.reads(), 1);
}

#[tokio::test]
async fn a_read_that_ends_late_does_not_remove_the_read_that_replaced_it() {
    let (store, key) = store_with_key().await;
    let (changes, gates) = (Invalidator::new(), Gates::default());
    let entrance = gates.clone();
    let backend = Probe::over(store).invalidated_by(&changes).before(move |_| entrance.clone().pass());
    let (authenticator, _clock) = authenticator(backend.clone());
    let ask = || spawn_presenting(&authenticator, &key);
    let first = ask();
    settle().await;
    changes.invalidate(Invalidation::Changed(key.record.digest));
    let second = ask();
    settle().await;
    assert_eq!(backend.reads(), 2);

    gates.open(0);
    settle().await;
    // The first has ended and joined the second; later requests join it as well.
    let third = ask();
    settle().await;
    assert_eq!(backend.reads(), 2);

    gates.open(1);
    for task in [first, second, third] {
        assert_eq!(reason(task.await.unwrap()), None);
    }
}

/// An authenticator with one cached key, over a store that does not answer any more.
async fn with_cached_key(
    describe: impl FnOnce(&mut Record),
) -> (Authenticator, Arc<ManualClock>, Misbehaving<MemoryStore>, Key) {
    let store = MemoryStore::new();
    let key = Key::mint().with(describe).insert_into(&store).await;
    let backend = Misbehaving::new(store);
    let (authenticator, clock) = authenticator(backend.clone());
    let _ = present(&authenticator, &key).await;
    backend.set(Behaviour::Fail);
    (authenticator, clock, backend, key)
}

#[tokio::test]
async fn a_key_that_expires_while_it_is_cached_is_rejected_without_the_store() {
    let end = START.saturating_add(Duration::from_secs(1));
    let (authenticator, clock, backend, key) = with_cached_key(|record| record.expires_at = Some(end)).await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Expired));
    }
    assert_eq!(backend.reads(), 1);

    clock.advance(Duration::from_secs(60));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Unavailable), "it is not cached any more");
}

#[tokio::test]
async fn a_key_that_was_revoked_before_it_was_read_is_rejected_without_the_store() {
    for first_use_grace in [None, Some(Duration::from_secs(60))] {
        let (authenticator, clock, backend, key) = with_cached_key(|record| {
            record.revoked = Some(revocation());
            record.first_use_grace = first_use_grace;
        })
        .await;
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
        }
        assert_eq!(backend.reads(), 1);
    }
}

#[tokio::test]
async fn a_key_whose_expiry_is_postponed_is_admitted_from_the_next_request_on() {
    let store = MemoryStore::new();
    let end = START.saturating_add(Duration::from_secs(1));
    let key = Key::mint().with(|record| record.expires_at = Some(end)).insert_into(&store).await;
    let (authenticator, clock) = authenticator(store.clone());
    clock.advance(Duration::from_secs(1));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Expired));
    let mut update = KeyUpdate::default();
    update.expires_at = Some(None);
    store.change(KeyChange::update(key.id(), update)).await.unwrap();
    assert_eq!(reason_of(&authenticator, &key).await, None);
}

#[tokio::test]
async fn a_coarse_clock_that_is_late_extends_neither_a_key_nor_a_record() {
    let store = MemoryStore::new();
    let expiring =
        |record: &mut Record| record.expires_at = Some(START.saturating_add(Duration::from_secs(1)));
    let expiring = Key::mint().with(expiring).insert_into(&store).await;
    let endless = Key::mint().insert_into(&store).await;
    let backend = Misbehaving::new(store);
    let clock = Late::by(TICK);
    let builder = Authenticator::builder(backend.clone()).with_clock(Arc::clone(&clock));
    let authenticator = builder.build().unwrap();
    assert_eq!(reason_of(&authenticator, &expiring).await, None);
    assert_eq!(reason_of(&authenticator, &endless).await, None);

    clock.clock.advance(Duration::from_millis(999));
    assert_eq!(reason_of(&authenticator, &expiring).await, None);
    clock.clock.advance(Duration::from_millis(1));
    assert_eq!(reason_of(&authenticator, &expiring).await, Some(Reason::Expired));

    let reads = backend.reads();
    clock.clock.advance(Duration::from_secs(59));
    assert_eq!(reason_of(&authenticator, &endless).await, None);
    assert_eq!(backend.reads(), reads + 1, "the record is 60 s old, though the coarse clock says less");
}

#[tokio::test]
async fn a_coarse_clock_that_is_on_time_cuts_no_key_short() {
    let store = MemoryStore::new();
    let expiring = |record: &mut Record| record.expires_at = Some(START.saturating_add(TICK));
    let expiring = Key::mint().with(expiring).insert_into(&store).await;
    let clock = Late::by(Duration::ZERO);
    let authenticator = Authenticator::builder(store).with_clock(Arc::clone(&clock)).build().unwrap();
    assert_eq!(reason_of(&authenticator, &expiring).await, None, "it ends within a tick, and not yet");
    clock.clock.advance(TICK);
    assert_eq!(reason_of(&authenticator, &expiring).await, Some(Reason::Expired));
}

#[tokio::test]
async fn expiry_is_honoured_to_the_millisecond_within_the_time_to_live() {
    let store = MemoryStore::new();
    let expiring =
        |record: &mut Record| record.expires_at = Some(START.saturating_add(Duration::from_secs(1)));
    let key = Key::mint().with(expiring).insert_into(&store).await;
    let (authenticator, clock) = authenticator(store);
    assert_eq!(reason_of(&authenticator, &key).await, None);
    clock.advance(Duration::from_millis(999));
    assert_eq!(reason_of(&authenticator, &key).await, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Expired));
}

#[tokio::test]
async fn expiry_follows_the_wall_clock_and_is_not_cached() {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| record.expires_at = Some(START)).insert_into(&store).await;
    let backend = Misbehaving::new(store);
    let (authenticator, clock) = authenticator(backend.clone());
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Expired));
    clock.set_wall(Timestamp::from_unix_millis(START.unix_millis() - 1));
    assert_eq!(reason_of(&authenticator, &key).await, None);
    clock.set_wall(START);
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Expired));
    assert_eq!(backend.reads(), 1);
}

#[tokio::test]
async fn authenticators_do_not_share_their_entries() {
    let (a, key) = store_with_key().await;
    let (over_a, _clock) = authenticator(a);
    let (over_b, _clock) = authenticator(MemoryStore::new());
    assert_eq!(reason_of(&over_a, &key).await, None);
    assert_eq!(reason_of(&over_b, &key).await, Some(Reason::Unknown));
    assert_eq!(reason_of(&over_a, &key).await, None);
}

#[tokio::test]
async fn a_store_outlives_the_authenticators_that_subscribe_to_it() {
    let (store, key) = store_with_key().await;
    drop(authenticator(store.clone()));
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    let (later, _clock) = authenticator(store);
    assert_eq!(reason_of(&later, &key).await, Some(Reason::Revoked));
}

#[tokio::test]
async fn a_change_invalidates_even_if_its_client_has_gone_or_panicked() {
    let (store, key) = store_with_key().await;
    let changes = Invalidator::new();
    let backend = Probe::over(Misbehaving::new(store)).invalidated_by(&changes);
    let (authenticator, _clock) = authenticator(backend.clone());
    let digest = key.record.digest;
    let revoke = |ending: Ending| {
        let changes = changes.clone();
        async move {
            changes
                .commit(move |mut announcement| async move {
                    announcement.set(Invalidation::Changed(digest));
                    tokio::task::yield_now().await;
                    match ending {
                        Ending::Commits => announcement.set(Invalidation::Revoked(digest)),
                        Ending::LosesItsConnection => {
                            return Err(BackendError::unavailable("connection lost"));
                        }
                        Ending::Panics => panic!("told to panic"),
                    }
                    Ok(())
                })
                .await
        }
    };

    let mut reads = 0;
    for ending in [Ending::LosesItsConnection, Ending::Panics] {
        assert_eq!(reason_of(&authenticator, &key).await, None);
        assert!(revoke(ending).await.is_err());
        assert_eq!(reason_of(&authenticator, &key).await, None);
        reads += 1;
        assert_eq!(backend.reads(), reads + 1, "whether the change was made is unknown, so it is read again");
    }

    let handler = tokio::spawn(revoke(Ending::Commits));
    tokio::task::yield_now().await;
    handler.abort();
    settle().await;
    assert_eq!(reason_of(&authenticator, &key).await, Some(Reason::Revoked));
}

#[derive(Clone, Copy)]
enum Ending {
    Commits,
    LosesItsConnection,
    Panics,
}

#[tokio::test]
async fn nothing_is_looked_up_for_a_text_that_cannot_be_a_key() {
    let backend = Misbehaving::new(MemoryStore::new());
    let (authenticator, _clock) = authenticator(backend.clone());
    for value in ["", "a,b", &"a".repeat(513), "caf\u{e9}"] {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let rejection = authenticator.authenticate(&headers).await.unwrap_err();
        assert_eq!(rejection.reason(), &Reason::Malformed, "{value:?}");
    }
    assert_eq!(backend.reads(), 0);
}

/// Gates of lookups, which the test opens one by one.
#[derive(Clone, Default)]
struct Gates(Arc<Mutex<Vec<Arc<Semaphore>>>>);

impl Gates {
    async fn pass(self) -> Result<(), BackendError> {
        let gate = Arc::new(Semaphore::new(0));
        self.0.lock().unwrap().push(Arc::clone(&gate));
        gate.acquire().await.unwrap().forget();
        Ok(())
    }

    fn open(&self, lookup: usize) {
        self.0.lock().unwrap()[lookup].add_permits(1);
    }
}

/// A clock whose coarse readings are late by a given duration, and may be late by a tick.
#[derive(Debug)]
struct Late {
    clock: ManualClock,
    by: Duration,
}

impl Late {
    fn by(by: Duration) -> Arc<Self> {
        Arc::new(Self { clock: ManualClock::new(START), by })
    }
}

const TICK: Duration = Duration::from_millis(10);

impl Clock for Late {
    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn monotonic(&self) -> Moment {
        self.clock.monotonic()
    }

    fn coarse_wall(&self) -> Timestamp {
        self.wall().saturating_sub(self.by)
    }

    fn coarse_monotonic(&self) -> Moment {
        self.monotonic().saturating_sub(self.by)
    }

    fn tick(&self) -> Duration {
        TICK
    }
}

#[test]
fn shared_types_are_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Authenticator>();
    shared::<Principal>();
    shared::<Arc<MemoryStore>>();
    fn sendable<T: Send>(_: T) {}
    let (authenticator, _clock) = authenticator(MemoryStore::new());
    sendable(authenticator.authenticate(&HeaderMap::new()));
}

#[test]
fn a_shared_store_is_a_store() {
    fn store<S: KeyStore + OwnerStore + UsageStore>() {}
    store::<Arc<MemoryStore>>();
}

/// Its answer is overdue, so it is not used; the deadline of the request ends the next read.
#[tokio::test]
async fn a_store_that_blocks_beyond_the_deadline_is_not_read_again_and_again() {
    let deadline = Duration::from_millis(20);
    let backend = Probe::answering(move |_| {
        // Blocks the thread, as such a store does: no clock of the test can pass within one poll.
        std::thread::sleep(deadline * 2);
        ready(Ok(None))
    });
    let node = Authenticator::builder(backend.clone()).deadline(deadline).build().unwrap();
    assert_eq!(reason_of(&node, &Key::foreign("unknown")).await, Some(Reason::Unavailable));
    assert!(backend.reads() <= 2, "{} reads", backend.reads());
}

#[tokio::test]
async fn a_key_that_was_found_to_be_gone_is_not_admitted_in_an_outage() {
    let (store, key) = store_with_key().await;
    let backend = Probe::reading(store.clone());
    let minute = Duration::from_secs(60);
    let (node, clock) = build(Authenticator::builder(backend.clone()).stale_grace(10 * minute));
    assert_eq!(reason_of(&node, &key).await, None);
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(i64::MAX))).await.unwrap();
    clock.advance(minute);
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Unknown));
    backend.set(Fault::Unavailable("down"));
    clock.advance(minute);
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Unavailable));
}
