//! The change feed: the log of all changes of a store, which each node polls. A node's own changes are in it too.

// Layer 3 of 10: storage.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{BackendError, Invalidation};

/// A reader of the changes that any process makes to a store. In a store that lists its nodes, it also writes what this node has applied.
///
/// Entries that were read from a store with a feed are trusted for a bounded time, the lease, after the last successful poll. So
/// a change takes effect within the lease even if its notification is lost.
pub trait ChangeFeed: Send + 'static {
    /// Sets the lease, which counts from the start of a poll, and the grace after it in an outage. Called once, before the first
    /// poll. A store that keeps a list of nodes, as for [`KeyStore::wait_applied`](super::KeyStore::wait_applied), needs it. The
    /// default ignores it.
    fn set_lease(&mut self, length: Duration, grace: Duration) {
        let _ = (length, grace);
    }

    /// Returns the invalidations of all changes that were committed since the last successful poll. The first poll returns none and
    /// remembers the end of the log. A feed that cannot determine the changes returns [`Invalidation::Everything`].
    ///
    /// The future may be dropped. The next poll then returns its changes as well.
    ///
    /// # Errors
    ///
    /// If the log cannot be read. The next poll then returns what this one would have.
    fn poll(&mut self) -> impl Future<Output = Result<Vec<Invalidation>, BackendError>> + Send;

    /// Acknowledges that the changes of the last poll were applied, in the list of nodes of a store that keeps one:
    /// [`KeyStore::wait_applied`](super::KeyStore::wait_applied) waits for that. An error is retried after the next poll. The default
    /// does nothing.
    ///
    /// # Errors
    ///
    /// If the acknowledgement cannot be written.
    fn ack(&mut self) -> impl Future<Output = Result<(), BackendError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Waits until an early poll is worthwhile, such as after a notification of a change from the store. The future may be
    /// dropped, and must not miss notifications between two calls.
    ///
    /// Polls come at intervals anyway, so this only decides how soon a change takes effect. The default waits for ever.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Returns whether notifications can arrive at the moment, or `None` if this feed has none.
    fn is_listening(&self) -> Option<bool> {
        None
    }
}

/// A type-erased [`ChangeFeed`].
pub struct BoxedChangeFeed(Box<dyn ErasedChangeFeed>);

impl BoxedChangeFeed {
    /// Boxes a feed.
    pub fn new(feed: impl ChangeFeed) -> Self {
        Self(Box::new(feed))
    }

    /// Returns the invalidations since the last poll, see [`ChangeFeed::poll`].
    ///
    /// # Errors
    ///
    /// Those of the feed.
    pub async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        self.0.poll().await
    }

    /// Acknowledges the changes of the last poll, see [`ChangeFeed::ack`].
    ///
    /// # Errors
    ///
    /// Those of the feed.
    pub async fn ack(&mut self) -> Result<(), BackendError> {
        self.0.ack().await
    }

    /// Sets how long a result is relied upon, see [`ChangeFeed::set_lease`].
    pub fn set_lease(&mut self, length: Duration, grace: Duration) {
        self.0.set_lease(length, grace);
    }

    /// Waits until an early poll is worthwhile, see [`ChangeFeed::changed`].
    pub async fn changed(&mut self) {
        self.0.changed().await;
    }

    /// Returns whether notifications can arrive, see [`ChangeFeed::is_listening`].
    pub fn is_listening(&self) -> Option<bool> {
        self.0.is_listening()
    }
}

impl fmt::Debug for BoxedChangeFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedChangeFeed(..)")
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait ErasedChangeFeed: Send {
    fn set_lease(&mut self, length: Duration, grace: Duration);
    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<Invalidation>, BackendError>>;
    fn ack(&mut self) -> BoxFuture<'_, Result<(), BackendError>>;
    fn changed(&mut self) -> BoxFuture<'_, ()>;
    fn is_listening(&self) -> Option<bool>;
}

impl<F: ChangeFeed> ErasedChangeFeed for F {
    fn set_lease(&mut self, length: Duration, grace: Duration) {
        ChangeFeed::set_lease(self, length, grace);
    }

    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<Invalidation>, BackendError>> {
        Box::pin(ChangeFeed::poll(self))
    }

    fn ack(&mut self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(ChangeFeed::ack(self))
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(ChangeFeed::changed(self))
    }

    fn is_listening(&self) -> Option<bool> {
        ChangeFeed::is_listening(self)
    }
}
