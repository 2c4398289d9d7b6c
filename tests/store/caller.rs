//! A client and the authenticator that it calls.

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::Backend;
use tower_api_key::clock::ManualClock;
use tower_api_key::reject::Reason;
use tower_api_key::test_util::Misbehaving;
use tower_api_key::{Authenticator, KeyId, Timestamp};

use crate::samples;

/// An authenticator over a store, with the look-ups counted. Its clock stands still, so nothing runs out by itself.
pub(crate) struct Caller<S> {
    backend: Misbehaving<S>,
    authenticator: Authenticator,
}

impl<S: Backend + Clone> Caller<S> {
    pub(crate) fn of(store: &S) -> Self {
        let backend = Misbehaving::new(store.clone());
        let authenticator = Authenticator::builder(backend.clone())
            .with_clock(ManualClock::new(Timestamp::from_unix_millis(0)))
            .deadline(std::time::Duration::from_secs(60))
            .build()
            .unwrap();
        Self { backend, authenticator }
    }

    /// Presents the key called `name`.
    pub(crate) async fn present(&self, name: &str) -> Result<KeyId, Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::try_from(samples::text(name)).unwrap());
        match self.authenticator.authenticate(&headers).await {
            Ok(principal) => Ok(principal.key_id().clone()),
            Err(rejection) => Err(rejection.reason().clone()),
        }
    }

    /// Returns how often the store was asked.
    pub(crate) fn reads(&self) -> u64 {
        self.backend.reads()
    }

    /// Presents the key until the answer comes from the cache, and returns that answer.
    pub(crate) async fn warm(&self, name: &str) -> Result<KeyId, Reason> {
        self.present(name).await.ok();
        let reads = self.backend.reads();
        let answer = self.present(name).await;
        assert_eq!(self.backend.reads(), reads, "the answer of {name} comes from the cache");
        answer
    }
}
