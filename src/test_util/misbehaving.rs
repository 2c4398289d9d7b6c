//! A backend that fails, hangs or panics on demand.

// Layer 10 of 10: rim.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::backend::{Backend, BackendError, BoxedChangeFeed, Subscriber, WriteBack};
use crate::digest::{Digest, Fingerprint};
use crate::owner::User;
use crate::record::Record;

/// A backend around another one that misbehaves on demand and counts its reads. Clones share their state.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::test_util::{Behaviour, Misbehaving};
/// use tower_api_key::{Authenticator, MemoryStore, reject::Reason};
///
/// let backend = Misbehaving::new(MemoryStore::new());
/// let authenticator = Authenticator::builder(backend.clone()).build()?;
/// backend.set(Behaviour::Fail);
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-api-key", "some-key".parse()?);
/// let rejection = authenticator.authenticate(&headers).await.unwrap_err();
/// assert_eq!(rejection.reason(), &Reason::Unavailable);
/// assert_eq!(backend.reads(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Misbehaving<B> {
    inner: B,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    behaviour: Mutex<Behaviour>,
    reads: AtomicU64,
    changed: Notify,
}

/// The behaviour of a [`Misbehaving`] backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Like the inner backend.
    Behave,
    /// Answers with an error.
    Fail,
    /// Does not answer until the behaviour is set again.
    Hang,
    /// Reads from the inner backend, and holds the answer until the behaviour is set again.
    Hold,
    /// Panics.
    Panic,
}

impl<B> Misbehaving<B> {
    /// Creates a backend that behaves like `inner`.
    pub fn new(inner: B) -> Self {
        let state = State {
            behaviour: Mutex::new(Behaviour::Behave),
            reads: AtomicU64::new(0),
            changed: Notify::new(),
        };
        Self { inner, state: Arc::new(state) }
    }

    /// Sets the behaviour from now on, and releases reads that hang or are held.
    pub fn set(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
        self.state.changed.notify_waiters();
    }

    /// Returns the number of reads.
    pub fn reads(&self) -> u64 {
        self.state.reads.load(Ordering::SeqCst)
    }

    /// Returns the inner backend.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    fn behaviour(&self) -> Behaviour {
        *self.state.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Backend> Misbehaving<B> {
    /// Reads from the inner backend as the behaviour says.
    async fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        // Registered before the behaviour is read, so that no `set` between the two is missed.
        let mut changed = std::pin::pin!(self.state.changed.notified());
        changed.as_mut().enable();
        self.state.reads.fetch_add(1, Ordering::SeqCst);
        match self.behaviour() {
            Behaviour::Behave => {}
            Behaviour::Fail => return Err(BackendError::unavailable("told to fail")),
            Behaviour::Hang => changed.await,
            Behaviour::Hold => {
                let answer = reading.await;
                changed.await;
                return answer;
            }
            Behaviour::Panic => panic!("told to panic"),
        }
        reading.await
    }
}

impl<B: Backend> Backend for Misbehaving<B> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.read(self.inner.find(digest)).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        self.read(self.inner.find_any(digests)).await
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.inner.fingerprints().await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.read(self.inner.find_user(email)).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.inner.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.inner.feed()
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.inner.max_concurrent_lookups()
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        self.inner.write_back(write).await
    }
}
