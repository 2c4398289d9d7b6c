//! [`KeyStore`], the trait of stores that keep keys.

// Layer 3 of 10: storage.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::forward::forward_to_arc;
use super::{Backend, BackendError, ChangeOutcome, KeyChange, KeyFilter, Propagation, SearchPosition};
use crate::clock::Timestamp;
use crate::digest::Fingerprint;
use crate::key::KeyId;
use crate::record::Record;

/// Keys that a search or a count without an index lists at a time.
const LIST_BATCH: usize = 1_000;

/// A backend that also keeps keys.
///
/// A change writes keys, and as far as the store keeps them, digests, fingerprints, the change feed and the audit log. When
/// [`change`](Self::change) returns, the change is durable, and every authenticator of this process has applied it: once a revocation is
/// acknowledged, the next request with the key is refused. If the caller drops the call before it returns, the change is made in full, or
/// not at all. Only [`PurgeEnded`](super::KeyAction::PurgeEnded), [`PurgeSessions`](super::KeyAction::PurgeSessions),
/// [`EndSessions`](super::KeyAction::EndSessions) and [`RetireDigests`](super::KeyAction::RetireDigests) may stop half-way.
///
/// # Implementing a store
///
/// Required are `change`, `get`, `list` and [`Backend::find`]; a store that other processes change also needs [`Backend::feed`].
/// Keep an [`Invalidator`](super::Invalidator), add the subscribers of [`Backend::subscribe`] to it, and make each change with
/// [`Invalidator::commit`](super::Invalidator::commit). In the transaction of a change:
///
/// 1. look up the [subjects](super::Actor::subjects) of the actor, which must not change until the commit, and
///    [authorize](super::Actor::authorize) the actor;
/// 2. [fill in](KeyChange::inherit_from_creator) what the change inherits, and [check](KeyChange::check) the change against the key as it
///    is; before a rotation or a first use ends a predecessor, [check that](KeyChange::check_end) too;
/// 3. apply the [action](super::KeyAction), whose constructor states its effect and its errors; [`KeyEdit`](super::KeyEdit)
///    applies those that edit one key;
/// 4. if the change [needs another manager](KeyChange::required_manager) beside the key, check that one exists;
/// 5. read all digests of the keys that it changes, if the store adds [further ones](super::WriteBack::Digest): each is
///    [invalidated](super::Invalidation::with_digest).
///
/// Effects of the change on its own actor do not count. A [batch](KeyChange::revoke_batch) has none.
///
/// Reject an action that the store does not know with [`BackendError::invalid`]: never make part of it. A store that keeps sessions of the console
/// keeps [`Record::session`] with the record, and selects by [`KeyFilter::kind`] in each list, count and change: without these, sessions are listed
/// and revoked as keys. One that does not keep them rejects the insertion of a record that has a session.
///
/// A store of [plans](super::PlanStore) keeps the name of [`Record::plan`], and reads the record, also that of an outcome, with the current limits of
/// the plan. It rejects a record or an update that refers to a plan which it does not have by [`BackendError::unknown_plan`], and so does a store
/// without plans.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{KeyChange, KeyFilter, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::record::Revocation;
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record, Timestamp};
///
/// let (store, id) = (MemoryStore::new(), KeyId::new("key_1")?);
/// let digest = Digester::sha256().digest(b"text");
/// let record = Record::imported(id.clone(), digest, Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
///
/// let lost = || Revocation::new(Timestamp::from_unix_millis(1), "lost");
/// store.change(KeyChange::revoke(&id, lost())).await?;
/// assert_eq!(store.get(&id).await?.expect("the key").revoked, Some(lost()));
///
/// let rest = KeyChange::revoke_all(&KeyFilter::of_organization("acme"), lost());
/// assert_eq!(store.change(rest).await?.keys, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait KeyStore: Backend {
    /// Makes a change, if its actor may make it at that moment.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer: nothing was changed
    /// then. [`Unavailable`](super::BackendErrorKind::Unavailable) if the store failed: the change may or may not have been made.
    /// And those of the constructor of the [`KeyChange`].
    fn change(&self, change: KeyChange) -> impl Future<Output = Result<ChangeOutcome, BackendError>> + Send;

    /// Returns the key with this id.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn get(&self, id: &KeyId) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Returns the first `limit` keys that match `filter` after `after`, in the byte order of their ids. As generated ids sort by
    /// time, this is the order in which keys were created.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;

    /// Returns the first `limit` keys that match `filter` after `after`, in the byte order of their hints if the filter has a start of hints, else of
    /// their names with ASCII letters in lower case; by 60 characters of these, then by the ids. Where a filter has a start of both, names are
    /// compared key by key.
    ///
    /// The default lists all keys that match. A store with many keys has an index for each order.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn search(
        &self,
        filter: &KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send {
        async move {
            let (mut found, mut last) = (Vec::new(), None);
            loop {
                let page = self.list(filter, last.as_ref(), LIST_BATCH).await?;
                last = page.last().filter(|_| page.len() == LIST_BATCH).map(|record| record.id.clone());
                let positions = page.into_iter().map(|record| (filter.position(&record), record));
                found.extend(positions.filter(|(position, _)| after.is_none_or(|after| position > after)));
                found.sort_by(|(one, _), (other, _)| one.cmp(other));
                found.truncate(limit);
                if last.is_none() {
                    return Ok(found.into_iter().map(|(_, record)| record).collect());
                }
            }
        }
    }

    /// Returns the number of keys that match `filter` and are not revoked, or `most` if there are more. The default lists them.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn count_unrevoked(
        &self,
        filter: &KeyFilter,
        most: usize,
    ) -> impl Future<Output = Result<usize, BackendError>> + Send {
        async move {
            let (mut keys, mut last) = (0, None);
            loop {
                let page = self.list(filter, last.as_ref(), LIST_BATCH).await?;
                keys += page.iter().filter(|record| record.revoked.is_none()).count();
                last = page.last().filter(|_| page.len() == LIST_BATCH).map(|record| record.id.clone());
                if last.is_none() || keys >= most {
                    return Ok(keys.min(most));
                }
            }
        }
    }

    /// Returns whether the store keeps a list of nodes. If so, [`wait_applied`](Self::wait_applied) can return before their lease
    /// has passed. The default returns `false`.
    fn lists_nodes(&self) -> bool {
        false
    }

    /// Returns the number of nodes on the list of those that follow the store now. `None` without a list, as by default.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn count_nodes(&self) -> impl Future<Output = Result<Option<u64>, BackendError>> + Send {
        std::future::ready(Ok(None))
    }

    /// Waits until every process that follows this store has applied the changes that were acknowledged before the call: for
    /// `lease`, or longer if the store knows that one of them has a longer lease, but no longer than `at_most`.
    ///
    /// A store without a list of nodes waits for the shorter time, and so does the default.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    fn wait_applied(&self, lease: Duration, at_most: Duration) -> impl Future<Output = Propagation> + Send {
        Propagation::after(lease, at_most)
    }

    /// Returns the number of keys that are neither revoked nor expired at `now`, and of which the store knows no digest by this digester.
    /// They stay unknown to nodes without the digester under which they were stored.
    ///
    /// The default fails: the store keeps no digesters.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn keys_without(
        &self,
        digester: &Fingerprint,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, BackendError>> + Send {
        let _ = (digester, now);
        std::future::ready(Err(BackendError::invalid("it does not keep the digesters of its keys")))
    }
}

forward_to_arc! { KeyStore:
    fn change(change: KeyChange) -> impl Future<Output = Result<ChangeOutcome, BackendError>> + Send;
    fn get(id: &KeyId) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;
    fn list(filter: &KeyFilter, after: Option<&KeyId>, limit: usize)
        -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;
    fn search(filter: &KeyFilter, after: Option<&SearchPosition>, limit: usize)
        -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;
    fn count_unrevoked(filter: &KeyFilter, most: usize) -> impl Future<Output = Result<usize, BackendError>> + Send;
    fn lists_nodes() -> bool;
    fn count_nodes() -> impl Future<Output = Result<Option<u64>, BackendError>> + Send;
    fn wait_applied(lease: Duration, at_most: Duration) -> impl Future<Output = Propagation> + Send;
    fn keys_without(digester: &Fingerprint, now: Timestamp)
        -> impl Future<Output = Result<u64, BackendError>> + Send;
}
