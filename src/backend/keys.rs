//! The write side: a backend that also keeps keys.

use std::future::Future;
use std::time::Duration;

use super::{Backend, BackendError, KeyFilter, KeyUpdate, Rotation};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// A backend that also keeps keys.
///
/// When a call returns, the change is durable, and every authenticator of this process has taken it in: a key whose
/// revocation was acknowledged is refused by the next request. Whoever calls may go away before it returns: the change is
/// then made in full, or not at all.
///
/// After [`Unavailable`](super::BackendErrorKind::Unavailable) a change may or may not have been made.
pub trait KeyStore: Backend {
    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`Conflict`](super::BackendErrorKind::Conflict) if there is one with the same id or digest;
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the record as it is.
    fn insert(&self, record: Record) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns the key with this id.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    fn get(&self, id: &KeyId) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Returns the first `limit` of the keys that `filter` means, in the order of the bytes of their ids, from behind
    /// `after` on. As generated ids sort by time, this is the order in which keys were made.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;

    /// Changes what may be changed of a key, and returns its new record.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if there is no such key;
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it was revoked, or if the end of a key that was rotated would be
    /// put off; [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the values.
    fn update(
        &self,
        id: &KeyId,
        update: KeyUpdate,
    ) -> impl Future<Output = Result<Record, BackendError>> + Send;

    /// Replaces a key by a new one, and returns the new one's record.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if there is no such key;
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it is not in force or was rotated before, as by someone else at
    /// the same time, or if there is a key with the new id or digest already.
    fn rotate(
        &self,
        id: &KeyId,
        rotation: Rotation,
    ) -> impl Future<Output = Result<Record, BackendError>> + Send;

    /// Revokes a key. Revoking it again changes nothing: the first revocation stays.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if there is no such key.
    fn revoke(
        &self,
        id: &KeyId,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Revokes all keys that `filter` means and that are not revoked yet, at once, and returns how many these were.
    ///
    /// # Errors
    ///
    /// When the store could not be asked. Then either all of them are revoked or none.
    fn revoke_all(
        &self,
        filter: &KeyFilter,
        revocation: Revocation,
    ) -> impl Future<Output = Result<u64, BackendError>> + Send;

    /// Waits until every process that follows this store has taken in the changes that were acknowledged before the call, at most
    /// for `within`, or longer if the store knows that one of them relies on what it has read for longer. Tells whether they have.
    ///
    /// A store that keeps no list of those who follow it cannot know, waits for the whole time and returns `false`: so does the
    /// default.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    fn taken_in(&self, within: Duration) -> impl Future<Output = bool> + Send {
        unknown_within(within)
    }

    /// Deletes all keys that had expired or were revoked by the time `before`, and returns how many these were.
    ///
    /// A key that replaces one of them, or is replaced by it, keeps its id.
    ///
    /// # Errors
    ///
    /// When the store could not be asked. Then either all of them are deleted or none.
    fn delete_ended(&self, before: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send;
}

#[allow(clippy::disallowed_methods, reason = "the leases of other processes run on clocks of their own")]
pub(super) async fn unknown_within(time: Duration) -> bool {
    tokio::time::sleep(time).await;
    false
}
