//! What other processes change: a log of changes that a store keeps, read at intervals.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::{BackendError, Change};

/// A reader of the changes that are made to a store, by whichever process.
///
/// What is cached of a store that has one counts only for a bounded time, the lease, after the last successful poll. So a
/// change takes effect within the lease even where the news of it is lost.
pub trait ChangeFeed: Send + 'static {
    /// Returns all changes that were committed since the last poll was answered; the first poll returns none and remembers
    /// where the log ends. Whoever cannot tell what was changed returns [`Change::Everything`].
    ///
    /// The poll may be dropped before it is answered. The next one then returns its changes as well.
    ///
    /// # Errors
    ///
    /// When the log cannot be read. The next poll then returns what this one would have.
    fn poll(&mut self) -> impl Future<Output = Result<Vec<Change>, BackendError>> + Send;
}

/// Any [`ChangeFeed`].
pub struct Feed(Box<dyn ErasedFeed>);

impl Feed {
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
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed(..)")
    }
}

type Polling<'a> = Pin<Box<dyn Future<Output = Result<Vec<Change>, BackendError>> + Send + 'a>>;

trait ErasedFeed: Send {
    fn poll(&mut self) -> Polling<'_>;
}

impl<F: ChangeFeed> ErasedFeed for F {
    fn poll(&mut self) -> Polling<'_> {
        Box::pin(ChangeFeed::poll(self))
    }
}
