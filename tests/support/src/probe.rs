//! A backend whose answers and failures the test decides.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed, Invalidator, Subscriber, WriteBack};

use tower_api_key::Record;
use tower_api_key::digest::{Digest, Fingerprint};
use tower_api_key::owner::User;

pub use feed::Feed;

mod feed;

type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send>>;
type Hook<A, T> = Arc<dyn Fn(A) -> BoxFuture<T> + Send + Sync>;

/// A call of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// By this digest, or by several of which it is the first.
    Find(Digest),
    FindUser,
    Write,
}

/// The failure of every lookup.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Unavailable(&'static str),
    Corrupt(&'static str),
    Hang,
    Panic,
}

/// A backend around another one, which counts the lookups of keys. Clones share counts and faults.
#[derive(Clone)]
pub struct Probe<B> {
    inner: B,
    before: Option<Hook<Call, ()>>,
    feed: Option<Arc<dyn Fn() -> Option<BoxedChangeFeed> + Send + Sync>>,
    invalidator: Option<Invalidator>,
    max_concurrent_lookups: Option<usize>,
    fault: Arc<Mutex<Option<Fault>>>,
    reads: Arc<Mutex<HashMap<Digest, u64>>>,
}

/// Lookups by a closure. Nothing else is answered.
#[derive(Clone)]
pub struct Answers(Hook<Digest, Option<Record>>);

impl Probe<Answers> {
    /// Answers lookups by a closure.
    pub fn answering<F>(answer: impl Fn(Digest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<Record>, BackendError>> + Send + 'static,
    {
        Self::over(Answers(Arc::new(move |digest| Box::pin(answer(digest)))))
    }

    /// Answers lookups by those of another backend, of which nothing else is used.
    pub fn reading(backend: impl Backend) -> Self {
        let backend = Arc::new(backend);
        Self::answering(move |digest| {
            let backend = Arc::clone(&backend);
            async move { backend.find(&digest).await }
        })
    }

    /// Knows no key.
    pub fn empty() -> Self {
        Self::answering(async |_| Ok(None))
    }
}

impl<B: Backend> Probe<B> {
    /// Forwards every call to another backend.
    pub fn over(inner: B) -> Self {
        Self {
            inner,
            before: None,
            feed: None,
            invalidator: None,
            max_concurrent_lookups: None,
            fault: Arc::default(),
            reads: Arc::default(),
        }
    }

    /// Runs a closure before each call, which fails if the closure does.
    pub fn before<F>(mut self, hook: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), BackendError>> + Send + 'static,
    {
        self.before = Some(Arc::new(move |call| Box::pin(hook(call))));
        self
    }

    /// Replaces the change feed.
    pub fn followed_by(mut self, feed: impl Fn() -> Feed + Send + Sync + 'static) -> Self {
        self.feed = Some(Arc::new(move || Some(BoxedChangeFeed::new(feed()))));
        self
    }

    /// Gives subscribers the invalidations of `invalidator` alone.
    pub fn invalidated_by(mut self, invalidator: &Invalidator) -> Self {
        self.invalidator = Some(invalidator.clone());
        self
    }

    /// Gives subscribers no invalidation, as if other processes made every change.
    pub fn deaf(self) -> Self {
        self.invalidated_by(&Invalidator::new())
    }

    pub fn max_concurrent_lookups(mut self, lookups: usize) -> Self {
        self.max_concurrent_lookups = Some(lookups);
        self
    }

    /// Lets lookups fail from now on, or succeed again.
    pub fn set(&self, fault: impl Into<Option<Fault>>) {
        *self.fault.lock().unwrap() = fault.into();
    }

    /// Returns the number of lookups of keys.
    pub fn reads(&self) -> u64 {
        self.reads.lock().unwrap().values().sum()
    }

    /// Returns the number of lookups of each key.
    pub fn reads_by_key(&self) -> HashMap<Digest, u64> {
        self.reads.lock().unwrap().clone()
    }

    pub fn forget_reads(&self) {
        self.reads.lock().unwrap().clear();
    }

    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    async fn begin(&self, call: Call) -> Result<(), BackendError> {
        if let Call::Find(digest) = call {
            *self.reads.lock().unwrap().entry(digest).or_default() += 1;
        }
        if let Some(before) = &self.before {
            before(call).await?;
        }
        let fault = *self.fault.lock().unwrap();
        match fault.filter(|_| call != Call::Write) {
            None => Ok(()),
            Some(Fault::Unavailable(cause)) => Err(BackendError::unavailable(cause)),
            Some(Fault::Corrupt(cause)) => Err(BackendError::corrupt(cause)),
            Some(Fault::Hang) => pending().await,
            Some(Fault::Panic) => panic!("told to panic"),
        }
    }
}

impl Backend for Answers {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.0(*digest).await
    }
}

impl<B: Backend> Backend for Probe<B> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.begin(Call::Find(*digest)).await?;
        self.inner.find(digest).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        self.begin(Call::Find(digests[0])).await?;
        self.inner.find_any(digests).await
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.inner.fingerprints().await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.begin(Call::FindUser).await?;
        self.inner.find_user(email).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        match &self.invalidator {
            Some(invalidator) => invalidator.subscribe(subscriber),
            None => self.inner.subscribe(subscriber),
        }
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.feed.as_ref().map_or_else(|| self.inner.feed(), |feed| feed())
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.max_concurrent_lookups.unwrap_or_else(|| self.inner.max_concurrent_lookups())
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        self.begin(Call::Write).await?;
        self.inner.write_back(write).await
    }
}
