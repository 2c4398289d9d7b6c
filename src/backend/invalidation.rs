//! Invalidations in this process: before a store acknowledges a change, it notifies each
//! subscriber in its process, such as the cache of an authenticator.

// Layer 3 of 10: storage.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::BackendError;
use crate::digest::Digest;
use crate::owner::User;
use crate::record::Record;
use crate::runtime::require_runtime;

/// What a change in a store invalidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// The key with this digest was revoked. A revocation is final.
    Revoked(Digest),
    /// The key with this digest is new or was changed.
    Changed(Digest),
    /// Anything may have changed.
    Everything,
}

impl Invalidation {
    /// All labels.
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

    /// Returns the digest that is invalidated.
    pub(super) fn digest(&self) -> Option<Digest> {
        match self {
            Self::Revoked(digest) | Self::Changed(digest) => Some(*digest),
            Self::Everything => None,
        }
    }

    /// Returns the same invalidation of another digest of the key.
    ///
    /// ```
    /// use tower_api_key::backend::Invalidation;
    /// use tower_api_key::digest::Digester;
    ///
    /// let pepper = Digester::hmac_sha256(b"a pepper of 32 random bytes here")?;
    /// let digests = [Digester::sha256(), pepper].map(|digester| digester.digest(b"some key"));
    /// let revoked = Invalidation::Revoked(digests[0]);
    /// assert_eq!(revoked.with_digest(digests[1]), Invalidation::Revoked(digests[1]));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn with_digest(self, digest: Digest) -> Self {
        match self {
            Self::Revoked(_) => Self::Revoked(digest),
            Self::Changed(_) => Self::Changed(digest),
            Self::Everything => Self::Everything,
        }
    }

    /// Returns the invalidation of a key whose record was changed to this one. A store invalidates the
    /// [further digests](Self::with_digest) of the key as well.
    pub fn of(record: &Record) -> Self {
        match record.revoked {
            Some(_) => Self::Revoked(record.digest),
            None => Self::Changed(record.digest),
        }
    }

    /// Returns the invalidation of the user with this e-mail, including the password. The user's keys are invalidated separately.
    pub fn of_user(email: &str) -> Self {
        Self::Changed(Digest::of_user(&User::new(email, []).email))
    }
}

/// A weak handle that receives invalidations. It does nothing once its receiver is dropped.
#[derive(Clone)]
pub struct Subscriber(Weak<dyn Apply>);

/// Applies an invalidation: when `apply` returns, no cached entry that was read before it is trusted any more.
pub(crate) trait Apply: Send + Sync {
    fn apply(&self, invalidation: Invalidation);
}

impl Subscriber {
    pub(crate) fn new(target: Weak<dyn Apply>) -> Self {
        Self(target)
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    fn apply(&self, invalidation: Invalidation) {
        if let Some(target) = self.0.upgrade() {
            target.apply(invalidation);
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscriber(..)")
    }
}

/// The subscribers of a store. Enforces the order in which a key is changed: commit, invalidate, acknowledge.
///
/// ```
/// # async fn revoke(invalidator: tower_api_key::backend::Invalidator, digest: tower_api_key::digest::Digest)
/// #     -> Result<(), tower_api_key::backend::BackendError> {
/// # async fn update_and_commit() -> Result<(), tower_api_key::backend::BackendError> { Ok(()) }
/// use tower_api_key::backend::Invalidation;
///
/// invalidator
///     .commit(move |mut pending| async move {
///         // From here on the change may be committed even if it returns an error: a lost connection, a panic.
///         pending.set(Invalidation::Changed(digest));
///         update_and_commit().await?;
///         pending.set(Invalidation::Revoked(digest));
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
    /// Creates an invalidator without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle that does not keep the subscribers alive.
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

    /// Applies the invalidation of a committed change to every subscriber, and returns when all have applied it.
    pub fn invalidate(&self, invalidation: Invalidation) {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers {
            subscriber.apply(invalidation);
        }
    }

    /// Runs `work`, which commits a change, and returns its result after every subscriber was invalidated.
    ///
    /// The work runs in a separate task. If the caller is dropped, as the handler of a closed connection is, the work
    /// continues, and what is pending is invalidated when it ends, even by an error or a panic.
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
        require_runtime();
        let task = tokio::spawn(work(pending));
        task.await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
    }
}

/// A weak handle on an [`Invalidator`].
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) struct WeakInvalidator(Weak<Mutex<Vec<Subscriber>>>);

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl WeakInvalidator {
    pub(super) fn upgrade(&self) -> Option<Invalidator> {
        self.0.upgrade().map(|subscribers| Invalidator { subscribers })
    }
}

/// Invalidations that are made when this is dropped.
#[derive(Debug)]
pub struct PendingInvalidation {
    invalidator: Invalidator,
    pending: Vec<Invalidation>,
}

impl PendingInvalidation {
    /// Sets the invalidation, and replaces the former ones. Call it before the commit is sent.
    pub fn set(&mut self, invalidation: Invalidation) {
        self.set_all([invalidation]);
    }

    /// Sets the invalidations, and replaces the former ones.
    pub fn set_all(&mut self, invalidations: impl IntoIterator<Item = Invalidation>) {
        self.pending.clear();
        self.pending.extend(invalidations);
    }
}

impl Drop for PendingInvalidation {
    fn drop(&mut self) {
        for invalidation in self.pending.drain(..) {
            self.invalidator.invalidate(invalidation);
        }
    }
}
