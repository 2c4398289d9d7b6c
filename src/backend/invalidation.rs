//! The change feed: whoever changes a key tells every authenticator of the process before the change is acknowledged.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::BackendError;
use crate::digest::Digest;
use crate::owner::User;

/// What has changed in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The key with this digest was revoked, for good.
    Revoked(Digest),
    /// The key with this digest is new, or is no longer as it was.
    Changed(Digest),
    /// Anything may have changed.
    Everything,
}

impl Change {
    /// All labels that there are.
    #[cfg(feature = "metrics")]
    pub(crate) const LABELS: [&str; 3] = ["revoked", "changed", "everything"];

    /// Returns a name for metrics, in snake case.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Revoked(_) => "revoked",
            Self::Changed(_) => "changed",
            Self::Everything => "everything",
        }
    }

    /// The person with this e-mail, the password included, is no longer as it was. The person's keys are changes of their own.
    pub fn of_user(email: &str) -> Self {
        Self::Changed(Digest::of_account(&User::new(email, []).email))
    }
}

/// Someone who wants to hear of changes. It holds on to nothing: it falls silent when its authenticator is gone.
#[derive(Clone)]
pub struct Subscriber(Weak<dyn Apply>);

/// Makes a change effective: when `apply` returns, nothing that was read before it will be trusted again.
pub(crate) trait Apply: Send + Sync {
    fn apply(&self, change: Change);
}

impl Subscriber {
    pub(crate) fn new(target: Weak<dyn Apply>) -> Self {
        Self(target)
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    fn apply(&self, change: Change) {
        if let Some(target) = self.0.upgrade() {
            target.apply(change);
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscriber(..)")
    }
}

/// The subscribers of a store, and the only right order in which to change a key: commit, tell them, acknowledge.
///
/// ```
/// # async fn revoke(changes: tower_api_key::backend::Invalidator, digest: tower_api_key::digest::Digest)
/// #     -> Result<(), tower_api_key::backend::BackendError> {
/// # async fn update_and_commit() -> Result<(), tower_api_key::backend::BackendError> { Ok(()) }
/// use tower_api_key::backend::Change;
///
/// changes
///     .commit(move |mut pending| async move {
///         // From here on the change may be made without our hearing of it: a lost connection, a panic.
///         pending.set(Change::Changed(digest));
///         update_and_commit().await?;
///         pending.set(Change::Revoked(digest));
///         Ok(())
///     })
///     .await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Invalidator {
    subscribers: Arc<Mutex<Vec<Subscriber>>>,
}

impl Invalidator {
    /// Creates a feed that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle that does not keep the feed alive.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn downgrade(&self) -> WeakInvalidator {
        WeakInvalidator(Arc::downgrade(&self.subscribers))
    }

    /// Adds a subscriber.
    pub fn subscribe(&self, subscriber: Subscriber) {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|other| !other.is_gone());
        subscribers.push(subscriber);
    }

    /// Tells every subscriber of a change that is already committed, and returns when they have taken it in.
    pub fn invalidate(&self, change: Change) {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers {
            subscriber.apply(change);
        }
    }

    /// Runs `work`, which commits a change, and returns its answer after every subscriber has been told.
    ///
    /// The work runs in a task of its own. Whoever waits for it may go away, as the handler of a closed connection does:
    /// the work goes on, and what it armed is announced when it ends, be it by an error or by a panic.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`Unavailable`](super::BackendErrorKind::Unavailable) if it panicked.
    ///
    /// # Panics
    ///
    /// When called outside a Tokio runtime.
    pub async fn commit<T, W, F>(&self, work: W) -> Result<T, BackendError>
    where
        W: FnOnce(PendingInvalidation) -> F,
        F: Future<Output = Result<T, BackendError>> + Send + 'static,
        T: Send + 'static,
    {
        let pending = PendingInvalidation { invalidator: self.clone(), pending: Vec::new() };
        let task = tokio::spawn(work(pending));
        task.await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
    }
}

/// A handle on a feed that does not keep it alive.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) struct WeakInvalidator(Weak<Mutex<Vec<Subscriber>>>);

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl WeakInvalidator {
    pub(super) fn upgrade(&self) -> Option<Invalidator> {
        self.0.upgrade().map(|subscribers| Invalidator { subscribers })
    }
}

/// Changes that will be announced when this is dropped, however that comes about.
#[derive(Debug)]
pub struct PendingInvalidation {
    invalidator: Invalidator,
    pending: Vec<Change>,
}

impl PendingInvalidation {
    /// Sets the change to announce, in place of what was set before. Do so before the commit is sent.
    pub fn set(&mut self, change: Change) {
        self.set_all([change]);
    }

    /// Sets the changes to announce, in place of those that were set before.
    pub fn set_all(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.pending.clear();
        self.pending.extend(changes);
    }
}

impl Drop for PendingInvalidation {
    fn drop(&mut self) {
        for change in self.pending.drain(..) {
            self.invalidator.invalidate(change);
        }
    }
}
