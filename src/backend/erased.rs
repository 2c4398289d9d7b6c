//! [`Backend`] as a trait object, by which the cache calls it.

// Layer 3 of 10: storage.

use std::future::Future;
use std::pin::Pin;

use super::{Backend, BackendError, BoxedChangeFeed, Subscriber, WriteBack};
use crate::digest::{Digest, Fingerprint};
#[cfg(feature = "password")]
use crate::owner::User;
use crate::record::Record;

/// A type-erased backend. Beside a call of a store, a box does not matter; requests that the cache answers wait for none.
pub(crate) trait ErasedBackend: Send + Sync {
    fn find<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Option<Record>>;
    fn fingerprints(&self) -> BoxFuture<'_, Option<Vec<Fingerprint>>>;
    #[cfg(feature = "password")]
    fn find_user<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Option<User>>;
    fn subscribe(&self, subscriber: Subscriber);
    fn feed(&self) -> Option<BoxedChangeFeed>;
    fn max_concurrent_lookups(&self) -> usize;
    fn write_back(&self, write: WriteBack) -> BoxFuture<'_, ()>;
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

impl<B: Backend> ErasedBackend for B {
    fn find<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Option<Record>> {
        match digests {
            [digest] => Box::pin(Backend::find(self, digest)),
            digests => Box::pin(Backend::find_any(self, digests)),
        }
    }

    fn fingerprints(&self) -> BoxFuture<'_, Option<Vec<Fingerprint>>> {
        Box::pin(Backend::fingerprints(self))
    }

    #[cfg(feature = "password")]
    fn find_user<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Option<User>> {
        Box::pin(Backend::find_user(self, email))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        Backend::subscribe(self, subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Backend::feed(self)
    }

    fn max_concurrent_lookups(&self) -> usize {
        Backend::max_concurrent_lookups(self)
    }

    fn write_back(&self, write: WriteBack) -> BoxFuture<'_, ()> {
        Box::pin(Backend::write_back(self, write))
    }
}
