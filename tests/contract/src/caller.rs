//! A client and the authenticator that it calls.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::Backend;
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digester;
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, KeyId, Principal, Scopes, Timestamp};

use crate::counting::Counting;
use crate::samples;

/// An authenticator over a store that counts lookups. Its clock stands still, so nothing expires by itself. It polls once, before
/// it looks up what the store has invalidated, so that all further changes come from the store.
pub struct Caller<S> {
    backend: Counting<S>,
    authenticator: Authenticator,
}

impl<S: Backend + Clone> Caller<S> {
    pub fn of(store: &S) -> Self {
        Self::with_digester(store, Digester::sha256())
    }

    /// A caller whose keys are stored under this digester.
    pub fn with_digester(store: &S, digester: Digester) -> Self {
        let backend = Counting::new(store.clone());
        let authenticator = Authenticator::builder(backend.clone())
            .digester(digester)
            .with_clock(ManualClock::new(Timestamp::from_unix_millis(0)))
            .deadline(Duration::from_secs(60))
            .poll_interval(Duration::from_secs(1_800))
            .lease(Duration::from_secs(3_600))
            // Some users have no organization.
            .user_scopes(Scopes::parse("*").unwrap())
            .build()
            .unwrap();
        Self { backend, authenticator }
    }

    /// Presents the key called `name`.
    pub async fn present(&self, name: &str) -> Result<KeyId, Reason> {
        self.admit(name).await.map(|principal| principal.key_id().clone())
    }

    /// Presents the key, and returns its organizations.
    pub async fn reach(&self, name: &str) -> Result<Vec<String>, Reason> {
        let principal = self.admit(name).await?;
        Ok(principal.organizations().map(|organization| organization.id.to_string()).collect())
    }

    /// Presents the key, and returns the principal.
    pub async fn admit(&self, name: &str) -> Result<Principal, Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::try_from(samples::text(name)).unwrap());
        let admitted = self.authenticator.authenticate(&headers).await;
        admitted.map_err(|rejection| rejection.reason().clone())
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        self.backend.get_ref()
    }

    /// Returns the number of lookups.
    pub fn reads(&self) -> u64 {
        self.backend.reads()
    }

    /// Presents the key once the store was polled, so that the next answer comes from the cache, and returns that answer.
    pub async fn warm(&self, name: &str) -> Result<KeyId, Reason> {
        let followed = async {
            while self.authenticator.start().await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), followed).await.expect("a poll is answered");
        let _ = self.present(name).await;
        self.present(name).await
    }
}
