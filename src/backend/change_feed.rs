//! What other processes change: a log of changes that a store keeps, read at intervals.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{BackendError, Change};

/// A reader of the changes that are made to a store, by whichever process.
///
/// What is cached of a store that has one counts only for a bounded time, the lease, after the last successful poll. So a
/// change takes effect within the lease even where the news of it is lost.
pub trait ChangeFeed: Send + 'static {
    /// Told once, before the first poll: for how long after the start of a poll its answer is relied upon, and for how much longer
    /// in an outage. A store that keeps a list of those who follow it, as for [`KeyStore::wait_applied`](super::KeyStore::wait_applied), needs
    /// to know. The default ignores it.
    fn lease(&mut self, length: Duration, grace: Duration) {
        let _ = (length, grace);
    }

    /// Returns all changes that were committed since the last poll was answered; the first poll returns none and remembers
    /// where the log ends. Whoever cannot tell what was changed returns [`Change::Everything`].
    ///
    /// The poll may be dropped before it is answered. The next one then returns its changes as well.
    ///
    /// # Errors
    ///
    /// When the log cannot be read. The next poll then returns what this one would have.
    fn poll(&mut self) -> impl Future<Output = Result<Vec<Change>, BackendError>> + Send;

    /// Called when the changes of the last poll have been taken in. An error is tried again after the next poll. The default does
    /// nothing.
    ///
    /// # Errors
    ///
    /// When that could not be told to those who wait for it.
    fn ack(&mut self) -> impl Future<Output = Result<(), BackendError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Waits until a poll is worthwhile before its time, as when the store has sent word of a change. The wait may be dropped,
    /// and must not miss what comes between two waits.
    ///
    /// Polls come at intervals all the same, so nothing depends on it but how soon a change takes effect. The default waits for
    /// ever.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Tells whether word of changes can arrive at the moment, or `None` if this feed never has any.
    fn is_listening(&self) -> Option<bool> {
        None
    }
}

/// Any [`ChangeFeed`].
pub struct BoxedChangeFeed(Box<dyn ErasedChangeFeed>);

impl BoxedChangeFeed {
    /// Takes a feed, whatever its type.
    pub fn new(feed: impl ChangeFeed) -> Self {
        Self(Box::new(feed))
    }

    /// Returns what was changed since the last poll, as [`ChangeFeed::poll`] does.
    ///
    /// # Errors
    ///
    /// Those of the feed.
    pub async fn poll(&mut self) -> Result<Vec<Change>, BackendError> {
        self.0.poll().await
    }

    /// Says that the changes of the last poll have been taken in, see [`ChangeFeed::ack`].
    ///
    /// # Errors
    ///
    /// Those of the feed.
    pub async fn ack(&mut self) -> Result<(), BackendError> {
        self.0.ack().await
    }

    /// Says for how long an answer is relied upon, see [`ChangeFeed::lease`].
    pub fn lease(&mut self, length: Duration, grace: Duration) {
        self.0.lease(length, grace);
    }

    /// Waits until a poll is worthwhile before its time, as [`ChangeFeed::changed`] does.
    pub async fn changed(&mut self) {
        self.0.changed().await;
    }

    /// Tells whether word of changes can arrive, see [`ChangeFeed::is_listening`].
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
    fn lease(&mut self, length: Duration, grace: Duration);
    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<Change>, BackendError>>;
    fn ack(&mut self) -> BoxFuture<'_, Result<(), BackendError>>;
    fn changed(&mut self) -> BoxFuture<'_, ()>;
    fn is_listening(&self) -> Option<bool>;
}

impl<F: ChangeFeed> ErasedChangeFeed for F {
    fn lease(&mut self, length: Duration, grace: Duration) {
        ChangeFeed::lease(self, length, grace);
    }

    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<Change>, BackendError>> {
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
