//! Two stores on one database, as of two processes, that change the same keys concurrently.
//!
//! `ROTATIONS` sets how often.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tower_api_key::backend::{
    BackendErrorKind, Grace, Invalidation, KeyChange, KeyFilter, KeyStore, WriteBack,
};
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::reject::Reason;
use tower_api_key::{KeyId, Timestamp};

use crate::store::caller::Caller;
use crate::store::samples;

fn rounds() -> usize {
    env::var("ROTATIONS").map_or(50, |rounds| rounds.parse().unwrap())
}

/// Lets two stores rotate one key at the same time, and revoke it at the same time, repeatedly.
pub(crate) async fn have_one_winner<S: KeyStore + Clone>(one: S, other: S) {
    let rounds = rounds();
    for round in 0..rounds {
        let old = samples::id(&format!("old_{round}"));
        one.change(KeyChange::insert(samples::plain(old.as_str()))).await.unwrap();
        let rotate = |store: S, name: String| {
            let old = old.clone();
            tokio::spawn(async move {
                store
                    .change(KeyChange::rotate(&old, samples::rotation(&name, 1, Grace::For(samples::GRACE))))
                    .await
            })
        };
        let tasks = [rotate(one.clone(), format!("a_{round}")), rotate(other.clone(), format!("b_{round}"))];
        let mut winners = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => winners += 1,
                Err(error) => assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}"),
            }
        }
        assert_eq!(winners, 1, "round {round}");

        let revoke = |store: S, millis| {
            let old = old.clone();
            tokio::spawn(async move {
                store.change(KeyChange::revoke(&old, samples::revocation(millis, "race"))).await.unwrap()
            })
        };
        let tasks = [revoke(one.clone(), 1), revoke(other.clone(), 2)];
        for task in tasks {
            task.await.unwrap();
        }
        let first = one.get(&old).await.unwrap().unwrap().revoked;
        assert!(first.is_some());
        one.change(KeyChange::revoke(&old, samples::revocation(3, "later"))).await.unwrap();
        assert_eq!(other.get(&old).await.unwrap().unwrap().revoked, first);
    }
    assert_eq!(one.list(&KeyFilter::all(), None, usize::MAX).await.unwrap().len(), 2 * rounds);
}

/// Lets one store rotate a key while the other one revokes it, repeatedly.
pub(crate) async fn end_with_a_revoked_key<S: KeyStore + Clone>(one: S, other: S) {
    let callers = Arc::new([Caller::of(&one), Caller::of(&other)]);
    let (rounds, mut rotations) = (rounds(), 0);
    for round in 0..rounds {
        let (old, new) = (format!("old_{round}"), format!("new_{round}"));
        one.change(KeyChange::insert(samples::plain(&old))).await.unwrap();
        for caller in &*callers {
            assert_eq!(caller.warm(&old).await, Ok(samples::id(&old)));
        }

        let (store, rotation) = (one.clone(), samples::rotation(&new, 1, Grace::For(samples::GRACE)));
        let id = samples::id(&old);
        let rotate = async move { store.change(KeyChange::rotate(&id, rotation)).await };
        let (store, callers, name) = (other.clone(), Arc::clone(&callers), old.clone());
        let revoke = async move {
            store.change(samples::revoke(&name, 1, "race")).await.unwrap();
            for caller in &*callers {
                assert_eq!(
                    caller.present(&name).await,
                    Err(Reason::Revoked),
                    "acknowledged in round {round}"
                );
            }
            callers
        };
        let (rotate, revoke) = if round % 2 == 0 {
            let rotate = tokio::spawn(rotate);
            (rotate, tokio::spawn(revoke))
        } else {
            let revoke = tokio::spawn(revoke);
            (tokio::spawn(rotate), revoke)
        };
        let (rotated, callers) = (rotate.await.unwrap(), revoke.await.unwrap());

        let ended = one.get(&samples::id(&old)).await.unwrap().unwrap();
        assert_eq!(ended.revoked, Some(samples::revocation(1, "race")), "round {round}");
        let successor = other.get(&samples::id(&new)).await.unwrap();
        assert_eq!(ended.rotated_to, successor.as_ref().map(|successor| successor.id.clone()));
        let admitted = match rotated {
            Ok(outcome) => {
                let record = outcome.record.unwrap();
                assert_eq!(record.rotated_from, Some(samples::id(&old)));
                assert_eq!(successor, Some(record));
                rotations += 1;
                Ok(samples::id(&new))
            }
            Err(error) => {
                assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
                assert_eq!(successor, None, "round {round}");
                Err(Reason::Unknown)
            }
        };
        for caller in &*callers {
            assert_eq!(caller.present(&old).await, Err(Reason::Revoked), "round {round}");
            assert_eq!(caller.present(&new).await, admitted, "round {round}");
        }
    }
    #[allow(clippy::print_stderr, reason = "the operator of a long check wants to know what was seen")]
    {
        eprintln!("{rotations} of {rounds} rotations came before the revocation");
    }
}

/// The number of keys that are rotated before all of them are changed at once.
const KEYS: usize = 300;

/// Uses many successors for the first time, each of which changes two keys, while all keys are revoked or deleted.
pub(crate) async fn let_first_uses_and_changes_of_all_keys_through<S: KeyStore + Clone>(one: S, other: S) {
    for (round, deletes) in [false, true, false, true].into_iter().enumerate() {
        let successors = successors(&one, round).await;
        let used = Arc::new(Semaphore::new(0));
        let uses: Vec<_> = successors
            .chunks(KEYS / 5)
            .map(|successors| {
                let (store, used, successors) = (one.clone(), Arc::clone(&used), successors.to_vec());
                tokio::spawn(async move {
                    for id in successors.iter().rev() {
                        let write =
                            WriteBack::FirstUse { id: id.clone(), at: Timestamp::from_unix_millis(2) };
                        match store.write_back(write).await {
                            Err(error) => assert_eq!(error.kind(), BackendErrorKind::NotFound, "{error}"),
                            Ok(()) => used.add_permits(1),
                        }
                    }
                })
            })
            .collect();
        // In the middle of them.
        let _some = used.acquire_many(KEYS as u32 / 10).await.unwrap();
        let change = if deletes {
            KeyChange::purge_ended(Timestamp::from_unix_millis(20_000))
        } else {
            KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "all"))
        };
        assert!(other.change(change).await.unwrap().keys >= KEYS as u64, "round {round}");
        for task in uses {
            task.await.unwrap();
        }
    }
}

/// Rotates many keys with an expiry, and returns the ids of the unused successors.
async fn successors<S: KeyStore + Clone>(store: &S, round: usize) -> Vec<KeyId> {
    let mut successors = Vec::new();
    for number in 0..KEYS {
        let mut old = samples::plain(&format!("old_{round}_{number}"));
        old.expires_at = Some(Timestamp::from_unix_millis(10_000));
        let new = format!("new_{round}_{number}");
        let id = old.id.clone();
        store.change(KeyChange::insert(old)).await.unwrap();
        let rotation = samples::rotation(&new, 1, Grace::FromFirstUse(samples::GRACE));
        successors.push(store.change(KeyChange::rotate(&id, rotation)).await.unwrap().record.unwrap().id);
    }
    successors
}

const AT: Timestamp = Timestamp::from_unix_millis(1);

/// The digester of the digests that are added.
fn pepper(byte: u8) -> Digester {
    Digester::hmac_sha256(&[byte; 32]).unwrap()
}

fn digest_by(digester: &Digester, name: &str) -> Digest {
    digester.digest(samples::text(name).as_bytes())
}

fn addition(name: &str, digester: &Digester, digest: Digest) -> WriteBack {
    WriteBack::Digest { id: samples::id(name), digest, digester: digester.fingerprint(), at: AT }
}

/// Runs two futures in tasks, of which either begins first, by turns.
async fn at_once<A, B>(round: usize, one: A, other: B) -> (A::Output, B::Output)
where
    A: Future<Output: Send> + Send + 'static,
    B: Future<Output: Send> + Send + 'static,
{
    if round.is_multiple_of(2) {
        let one = tokio::spawn(one);
        let other = tokio::spawn(other);
        (one.await.unwrap(), other.await.unwrap())
    } else {
        let other = tokio::spawn(other);
        let one = tokio::spawn(one);
        (one.await.unwrap(), other.await.unwrap())
    }
}

/// Lets one store add a digest to a key while the other one revokes the key, repeatedly: no node admits the key by the digest, and the
/// change feed has it, if the key got it.
pub(crate) async fn announce_the_digests_of_a_revoked_key<S: KeyStore + Clone>(one: S, other: S) {
    let digester = pepper(7);
    let callers = Arc::new([&one, &other].map(|store| Caller::with_digester(store, digester.clone())));
    let mut feed = one.feed().unwrap();
    feed.set_lease(Duration::from_secs(60), Duration::ZERO);
    for caller in &*callers {
        assert_eq!(caller.warm("none").await, Err(Reason::Unknown));
    }
    let (rounds, mut additions) = (rounds(), 0);
    for round in 0..rounds {
        let name = format!("key_{round}");
        let digest = digest_by(&digester, &name);
        one.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        feed.poll().await.unwrap();
        let (store, write) = (one.clone(), addition(&name, &digester, digest));
        let (asking, asked) = (Arc::clone(&callers), name.clone());
        let add = async move {
            store.write_back(write).await.unwrap();
            for caller in &*asking {
                let _ = caller.present(&asked).await;
            }
        };
        let (store, revoke) = (other.clone(), samples::revoke(&name, 1, "race"));
        at_once(round, add, async move { store.change(revoke).await.unwrap() }).await;

        let seen = feed.poll().await.unwrap();
        let expected = match other.find(&digest).await.unwrap() {
            Some(record) => {
                assert!(record.revoked.is_some(), "round {round}");
                assert!(seen.contains(&Invalidation::Revoked(digest)), "round {round}: {seen:?}");
                additions += 1;
                Reason::Revoked
            }
            None => Reason::Unknown,
        };
        for caller in &*callers {
            assert_eq!(caller.present(&name).await, Err(expected.clone()), "round {round}");
        }
    }
    #[allow(clippy::print_stderr, reason = "the operator of a long check wants to know what was seen")]
    {
        eprintln!("{additions} of {rounds} additions came before the revocation");
    }
}

/// Lets one store add a digest to keys while the other one retires all digests but those of another digester, repeatedly: no node admits a
/// key by a digest that was dropped.
pub(crate) async fn announce_retired_digests<S: KeyStore + Clone>(one: S, other: S) {
    let (kept, added) = (pepper(7), pepper(8));
    let callers = Arc::new([&one, &other].map(|store| Caller::with_digester(store, added.clone())));
    for caller in &*callers {
        assert_eq!(caller.warm("none").await, Err(Reason::Unknown));
    }
    for round in 0..rounds() {
        let name = format!("key_{round}");
        let digest = digest_by(&added, &name);
        one.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        one.write_back(addition(&name, &kept, digest_by(&kept, &name))).await.unwrap();
        let (store, write) = (one.clone(), addition(&name, &added, digest));
        let (asking, asked) = (Arc::clone(&callers), name.clone());
        let add = async move {
            store.write_back(write).await.unwrap();
            for caller in &*asking {
                let _ = caller.present(&asked).await;
            }
        };
        let (store, retire) = (other.clone(), KeyChange::retire_digests(kept.fingerprint(), AT));
        let (_, retired) = at_once(round, add, async move { store.change(retire).await.unwrap() }).await;
        // Beside this key, the one of the last round, if it got its digest after the retirement.
        assert!((1..=2).contains(&retired.keys), "round {round}: {}", retired.keys);
        assert_eq!(one.find(&samples::digest(&name)).await.unwrap(), None);
        assert!(other.find(&digest_by(&kept, &name)).await.unwrap().is_some());
        let expected = one.find(&digest).await.unwrap().map_or(Err(Reason::Unknown), |record| Ok(record.id));
        for caller in &*callers {
            assert_eq!(caller.present(&name).await, expected, "round {round}");
        }
    }
}

/// Lets two stores give one digest to two keys, of which the second one is new in every other round, repeatedly.
pub(crate) async fn give_a_digest_to_one_key<S: KeyStore + Clone>(one: S, other: S) {
    let digester = pepper(7);
    for round in 0..rounds() {
        let (first, second) = (format!("first_{round}"), format!("second_{round}"));
        let digest =
            digest_by(&digester, "shared by both in this round").as_bytes().map(|byte| byte ^ round as u8);
        let digest = Digest::from_bytes(digest);
        one.change(KeyChange::insert(samples::plain(&first))).await.unwrap();
        let is_new = round % 4 < 2;
        if !is_new {
            one.change(KeyChange::insert(samples::plain(&second))).await.unwrap();
        }
        let (store, write) = (one.clone(), addition(&first, &digester, digest));
        let add = async move { store.write_back(write).await };
        let (store, name, write) = (other.clone(), second.clone(), addition(&second, &digester, digest));
        let take = async move {
            let mut record = samples::plain(&name);
            record.digest = digest;
            match is_new {
                true => store.change(KeyChange::insert(record)).await.map(drop),
                false => store.write_back(write).await,
            }
        };
        let (added, taken) = at_once(round, add, take).await;
        let (winner, loser) = if added.is_ok() { (first, taken) } else { (second, added) };
        assert_eq!(loser.unwrap_err().kind(), BackendErrorKind::Conflict, "round {round}");
        let record = one.find(&digest).await.unwrap().unwrap();
        assert_eq!(record.id.as_str(), winner, "round {round}");
    }
}
