//! The write side: a backend that also keeps keys.

use std::future::Future;

use super::{Backend, BackendError};
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// A backend that also keeps keys.
///
/// When a call returns, the change is durable, and every authenticator of this process has taken it in: a key whose
/// revocation was acknowledged is refused by the next request.
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

    /// Revokes a key. Revoking it again changes nothing: the first revocation stays.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if there is no such key. After
    /// [`Unavailable`](super::BackendErrorKind::Unavailable) the key may or may not be revoked: ask again.
    fn revoke(
        &self,
        id: &KeyId,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;
}
