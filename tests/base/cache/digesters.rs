//! Keys that were stored under a former digester.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::probe::{Call, Fault, Probe};
use support::{Key, START, build, revocation};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use tower_api_key::backend::{Backend, BackendError, Invalidation, Invalidator, KeyChange, KeyStore};
use tower_api_key::digest::{Digest, Digester, FormerDigester};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::record::Disabling;
use tower_api_key::{
    Authenticator, AuthenticatorBuilder, KeyFormat, MemoryStore, Principal, Reason, Rejection,
};

const SECOND: Duration = Duration::from_secs(1);

/// The former digester is SHA-256, that of the keys in `support`.
fn old() -> Digester {
    Digester::sha256()
}

fn new() -> Digester {
    Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap()
}

fn other() -> Digester {
    Digester::hmac_sha256(b"another pepper of 32 random byte").unwrap()
}

/// A node with the new pepper.
fn node(backend: impl Backend) -> AuthenticatorBuilder {
    Authenticator::builder(backend).digester(new()).former_digester(old())
}

fn new_digest(key: &Key) -> Digest {
    new().digest(key.text.as_bytes())
}

/// The key as a manager with the new pepper stores it.
fn under_new(mut key: Key) -> Key {
    key.record.digest = new_digest(&key);
    key
}

async fn present(by: &Authenticator, key: &Key) -> Result<Principal, Rejection> {
    by.authenticate(key.x_api_key().headers()).await
}

async fn reason_of(by: &Authenticator, key: &Key) -> Option<Reason> {
    present(by, key).await.err().map(|rejection| rejection.reason().clone())
}

fn spawn_presenting(by: &Authenticator, key: &Key) -> JoinHandle<Option<Reason>> {
    let (by, key) = (by.clone(), key.clone());
    tokio::spawn(async move { reason_of(&by, &key).await })
}

async fn is_found(store: &MemoryStore, digest: Digest) -> bool {
    store.find(&digest).await.unwrap().is_some()
}

/// Waits until the key has a digest of the new digester.
async fn added(store: &MemoryStore, key: &Key) {
    while !is_found(store, new_digest(key)).await {
        yield_now().await;
    }
}

async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A store that counts the writes of authenticators, and rejects them while told to.
#[derive(Clone)]
struct Written {
    writes: Arc<Mutex<u64>>,
    rejects: Arc<AtomicBool>,
}

fn written(store: &MemoryStore) -> (Probe<MemoryStore>, Written) {
    let written = Written { writes: Arc::default(), rejects: Arc::default() };
    let hook = written.clone();
    let backend = Probe::over(store.clone()).before(move |call| {
        let hook = hook.clone();
        async move {
            if call != Call::Write {
                return Ok(());
            }
            *hook.writes.lock().unwrap() += 1;
            match hook.rejects.load(Ordering::SeqCst) {
                true => Err(BackendError::invalid("permission denied for table tower_api_key_digest")),
                false => Ok(()),
            }
        }
    });
    (backend, written)
}

impl Written {
    fn count(&self) -> u64 {
        *self.writes.lock().unwrap()
    }

    fn reject(&self, rejects: bool) {
        self.rejects.store(rejects, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_key_under_the_current_digester_is_read_once_and_written_never() {
    let store = MemoryStore::new();
    let key = under_new(Key::mint()).insert_into(&store).await;
    let (backend, written) = written(&store);
    let (node, _clock) = build(node(backend.clone()));
    for _ in 0..3 {
        assert_eq!(reason_of(&node, &key).await, None);
    }
    settle().await;
    assert_eq!((backend.reads(), written.count()), (1, 0));
}

#[tokio::test]
async fn a_key_under_a_former_digester_gets_a_current_digest_once() {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let (backend, written) = written(&store);
    let (node, _clock) = build(node(backend.clone()));
    let concurrent: Vec<_> = (0..10).map(|_| spawn_presenting(&node, &key)).collect();
    for request in concurrent {
        assert_eq!(request.await.unwrap(), None);
    }
    added(&store, &key).await;
    settle().await;
    assert_eq!(written.count(), 1);
    // The addition has invalidated the entry under the former digest. That under the current one stays.
    backend.forget_reads();
    for _ in 0..3 {
        assert_eq!(present(&node, &key).await.unwrap().key_id(), key.id());
    }
    settle().await;
    assert_eq!((backend.reads(), written.count()), (1, 1));
}

#[tokio::test]
async fn a_key_without_a_current_digest_is_cached_under_the_former_one() {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let (backend, written) = written(&store);
    let (node, clock) = build(node(backend.clone()));
    written.reject(true);
    for _ in 0..3 {
        assert_eq!(reason_of(&node, &key).await, None);
        settle().await;
    }
    assert_eq!((backend.reads(), written.count()), (1, 1));

    // The next lookup tries again.
    written.reject(false);
    clock.advance(60 * SECOND);
    assert_eq!(reason_of(&node, &key).await, None);
    added(&store, &key).await;
    assert_eq!(backend.reads(), 2);
}

#[tokio::test]
async fn a_key_that_is_rejected_gets_no_further_digest() {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| record.revoked = Some(revocation())).insert_into(&store).await;
    let (backend, written) = written(&store);
    let (node, _clock) = build(node(backend));
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Revoked));
    settle().await;
    assert_eq!(written.count(), 0);
}

#[tokio::test]
async fn an_unknown_key_costs_one_lookup() {
    let store = MemoryStore::new();
    let (backend, written) = written(&store);
    let third = FormerDigester::hmac_sha256(b"a pepper of old!").unwrap();
    let (node, clock) = build(node(backend.clone()).former_digester(other()).former_digester(third));
    let key = Key::mint();
    for reads in [1, 2] {
        for _ in 0..3 {
            assert_eq!(reason_of(&node, &key).await, Some(Reason::Unknown));
        }
        // One call of the backend, with the current digest first.
        assert_eq!(backend.reads_by_key().into_iter().collect::<Vec<_>>(), [(new_digest(&key), reads)]);
        clock.advance(5 * SECOND);
    }
    assert_eq!(written.count(), 0);
}

#[tokio::test]
async fn a_key_that_is_created_under_any_digester_is_known_at_once() {
    for digester in [new(), old(), other()] {
        let store = MemoryStore::new();
        let (node, _clock) = build(node(store.clone()).former_digester(other()));
        let key = Key::mint();
        assert_eq!(reason_of(&node, &key).await, Some(Reason::Unknown));
        // By a manager with this digester.
        let digest = digester.digest(key.text.as_bytes());
        let key = key.with(|record| record.digest = digest).insert_into(&store).await;
        assert_eq!(reason_of(&node, &key).await, None, "{digester:?}");
    }
}

/// A node with the new pepper, one that does not have it yet, and one that has no former one any more.
#[tokio::test]
async fn a_change_reaches_entries_under_every_digest() {
    let store = MemoryStore::new();
    let backends = [(); 3].map(|()| Probe::over(store.clone()));
    let (both, _clock) = build(node(backends[0].clone()));
    let (before, _clock) = build(Authenticator::builder(backends[1].clone()).digester(old()));
    let (after, _clock) = build(Authenticator::builder(backends[2].clone()).digester(new()));
    let key = Key::mint().insert_into(&store).await;
    assert_eq!(reason_of(&after, &key).await, Some(Reason::Unknown));
    assert_eq!(reason_of(&both, &key).await, None);
    added(&store, &key).await;
    settle().await;

    let id = key.id();
    let disabling = Disabling::new(START, "paused");
    for (change, reason, reads) in [
        (None, None, 1),
        (Some(KeyChange::disable(id, disabling)), Some(Reason::Disabled), 1),
        (Some(KeyChange::enable(id, START)), None, 1),
        // A tombstone answers without the store.
        (Some(KeyChange::revoke(id, revocation())), Some(Reason::Revoked), 0),
    ] {
        if let Some(change) = change {
            store.change(change).await.unwrap();
        }
        for (node, backend) in [&both, &before, &after].into_iter().zip(&backends) {
            backend.forget_reads();
            for _ in 0..2 {
                assert_eq!(reason_of(node, &key).await, reason);
            }
            assert_eq!(backend.reads(), reads, "{reason:?}");
        }
    }
}

/// The store has read a key under its former digest when the key is revoked. The node is notified by either digest only.
#[tokio::test]
async fn a_lookup_during_a_change_of_any_digest_is_repeated() {
    for announced in [|key: &Key| key.record.digest, new_digest] {
        for change in [Invalidation::Changed, Invalidation::Revoked] {
            let store = MemoryStore::new();
            let key = Key::mint().insert_into(&store).await;
            let (held, changes) = (Arc::new(Semaphore::new(0)), Invalidator::new());
            let backend = Probe::answering({
                let (store, held) = (store.clone(), Arc::clone(&held));
                move |digest| {
                    let (store, held) = (store.clone(), Arc::clone(&held));
                    async move {
                        let record = store.find(&digest).await?;
                        if record.is_some() {
                            held.acquire().await.map_err(BackendError::unavailable)?.forget();
                        }
                        Ok(record)
                    }
                }
            });
            let (node, _clock) = build(node(backend.invalidated_by(&changes)));
            let waiting = [spawn_presenting(&node, &key), spawn_presenting(&node, &key)];
            settle().await;
            store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
            changes.invalidate(change(announced(&key)));
            // A request after the change joins no lookup from before it.
            let late = spawn_presenting(&node, &key);
            held.add_permits(10);
            for request in waiting.into_iter().chain([late]) {
                assert_eq!(request.await.unwrap(), Some(Reason::Revoked));
            }
            assert_eq!(reason_of(&node, &key).await, Some(Reason::Revoked));
        }
    }
}

/// A change announces the digests that the store has of the key. If one was retired elsewhere a moment ago, and this node has not polled
/// since, that of its entry is not among them.
#[tokio::test]
async fn a_change_under_any_digest_invalidates_the_entry() {
    for stored in [Key::mint(), under_new(Key::mint())] {
        for digester in [old(), new()] {
            let store = MemoryStore::new();
            let key = stored.clone().insert_into(&store).await;
            let (backend, written) = written(&store);
            written.reject(true);
            let changes = Invalidator::new();
            let (node, _clock) = build(node(backend.clone().invalidated_by(&changes)));
            for _ in 0..2 {
                assert_eq!(reason_of(&node, &key).await, None);
            }
            assert_eq!(backend.reads(), 1);
            store.change(KeyChange::disable(key.id(), Disabling::new(START, "paused"))).await.unwrap();
            changes.invalidate(Invalidation::Changed(digester.digest(key.text.as_bytes())));
            assert_eq!(reason_of(&node, &key).await, Some(Reason::Disabled));
        }
    }
}

#[tokio::test]
async fn an_entry_under_a_former_digest_is_used_in_an_outage() {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let (backend, written) = written(&store);
    written.reject(true);
    let (node, clock) = build(node(backend.clone()).stale_grace(300 * SECOND));
    assert_eq!(reason_of(&node, &key).await, None);
    backend.set(Fault::Unavailable("told to fail"));
    clock.advance(61 * SECOND);
    assert_eq!(reason_of(&node, &key).await, None);
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Revoked));
}

#[tokio::test]
async fn a_first_use_under_a_former_digest_is_recorded_as_well() {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| record.first_use_grace = Some(Duration::ZERO));
    let key = key.insert_into(&store).await;
    let (backend, written) = written(&store);
    let (node, _clock) = build(node(backend));
    assert_eq!(reason_of(&node, &key).await, None);
    added(&store, &key).await;
    while store.find(&key.record.digest).await.unwrap().unwrap().first_use_grace.is_some() {
        yield_now().await;
    }
    settle().await;
    assert_eq!(written.count(), 2);
    assert_eq!(reason_of(&node, &key).await, None);
}

/// A caller is checked again by any digest of its key: the one under which it was admitted may have been retired since.
#[tokio::test]
async fn a_caller_is_checked_again_after_its_digest_was_retired() {
    for kept in [new(), old()] {
        let store = MemoryStore::new();
        let former = if kept.fingerprint() == new().fingerprint() { old() } else { new() };
        let format = KeyFormat::new("demo").unwrap();
        let manager = |digester| KeyManager::new(store.clone(), format.clone()).digester(digester);
        let created = manager(former.clone()).create(NewKey::for_organization("acme")).await.unwrap();
        let record = created.record().clone();
        let key = Key { text: created.reveal().as_str().to_owned(), record };
        let builder = Authenticator::builder(store.clone()).digester(kept.clone());
        let (node, _clock) = build(builder.former_digester(former.clone()));
        let first = present(&node, &key).await.unwrap();
        while !is_found(&store, kept.digest(key.text.as_bytes())).await {
            yield_now().await;
        }
        settle().await;
        let second = present(&node, &key).await.unwrap();

        assert_eq!(manager(kept).former_digester(former).retire_former_digesters().await.unwrap(), 1);
        for caller in [&first, &second] {
            assert_eq!(caller.recheck().await.unwrap().key_id(), key.id());
        }
        store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
        for caller in [&first, &second] {
            assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Revoked);
        }
    }
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_node_that_may_not_add_digests_logs_it_once() {
    use support::captured::Log;

    let _second_subscriber = Log::begin();
    let (log, _guard) = Log::begin();
    let store = MemoryStore::new();
    let (backend, written) = written(&store);
    written.reject(true);
    let (node, _clock) = build(node(backend));
    for _ in 0..3 {
        let key = Key::mint().insert_into(&store).await;
        assert_eq!(reason_of(&node, &key).await, None);
    }
    settle().await;
    assert_eq!(written.count(), 3);
    let logged = log.take("WARN");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("cannot add a digest of the current digester to a key"), "{}", logged[0]);
    assert!(logged[0].contains("permission denied for table tower_api_key_digest"), "{}", logged[0]);
}
