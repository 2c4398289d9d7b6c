//! The layer: its options. It decides nothing.

// Layer 8 of 10: decision.

use std::sync::Arc;

use tower_layer::Layer;

use super::LimitRequests;
use super::counters::Counters;
use super::headers::Headers;
use super::limiter::Limiter;
use super::outage::Outage;
use crate::limit::Limits;
use crate::reject::RequestHead;

/// Layer that applies [`LimitRequests`].
///
/// It belongs inside an [`AuthenticateLayer`](crate::AuthenticateLayer), outside of what it protects. See the [module](super) for an
/// example.
///
/// Leave the routes on which customers manage their keys outside of it, or let them [cost](Self::cost) 0. Otherwise, an attacker with a
/// leaked key uses up the limit, and its owner [cannot revoke it](crate::_guide::limits#mistakes-that-are-easy-to-make).
///
/// Clones count together, and so do all services that a layer is added to: create one layer for a service, and clone it. A request that
/// passes two clones is counted by both.
#[derive(Debug, Clone)]
pub struct LimitLayer {
    limiter: Arc<Limiter>,
}

impl LimitLayer {
    /// Creates a layer that counts in this process. A key without limits, of its own or by a plan, may make any number of requests.
    pub fn new() -> Self {
        Self { limiter: Arc::new(Limiter::new()) }
    }

    /// Sets limits for all keys. A limit of a key, or of its plan, takes the place of one with the same name.
    ///
    /// From here on, the layer counts apart from the one that it is a clone of.
    ///
    /// ```
    /// use tower_api_key::LimitLayer;
    ///
    /// let layer = LimitLayer::new().default_limits("burst=60/60s".parse()?);
    /// # Ok::<(), tower_api_key::InvalidValue>(())
    /// ```
    #[must_use]
    pub fn default_limits(self, limits: Limits) -> Self {
        self.with(|limiter| limiter.defaults(limits))
    }

    /// Counts in `counters`, which several processes share, instead of in this process. Each request to a key with limits then waits for
    /// them. `outage` says what happens while they do not answer; after a failure, one request a second asks them.
    ///
    /// Layers that are given the same counters count together, if they are clones or not.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use tower_api_key::LimitLayer;
    /// use tower_api_key::limit_requests::{Counters, Outage};
    ///
    /// fn limits(counters: impl Counters) -> LimitLayer {
    ///     // Without the counters, each of four processes admits a quarter of each limit.
    ///     let nodes = NonZeroU32::new(4).expect("a number above zero");
    ///     LimitLayer::new().counters(counters, Outage::LocalShare(nodes))
    /// }
    /// ```
    #[must_use]
    pub fn counters(self, counters: impl Counters, outage: Outage) -> Self {
        self.with(|limiter| limiter.counters(counters, outage))
    }

    /// Sets the cost of requests, 1 by default.
    ///
    /// A request that costs 0 is free: it is not counted, and passes also when a limit is used up. One that costs more than a limit has
    /// requests is always refused: the limit does not include it. `Retry-After` then says when the whole allowance is back.
    ///
    /// For a cost by route, add clones with different costs to the routes, which count together:
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::Router;
    /// use axum::routing::{get, post};
    /// use tower_api_key::LimitLayer;
    ///
    /// let limits = LimitLayer::new();
    /// let app: Router = Router::new()
    ///     .route("/notes", get(async || "[]").layer(limits.clone()))
    ///     .route("/export", post(async || "…").layer(limits.clone().cost(|_| 10)))
    ///     .route("/usage", get(async || "0").layer(limits.cost(|_| 0))) // not counted, with headers
    ///     .route("/keys", get(async || "[]")); // not counted
    /// # }
    /// ```
    #[must_use]
    pub fn cost(self, cost: impl Fn(RequestHead<'_>) -> u64 + Send + Sync + 'static) -> Self {
        self.with(|limiter| limiter.cost(Arc::new(cost)))
    }

    /// Adds the fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, with all limits. The draft may
    /// change, and this method then stays with its revision 11.
    #[must_use]
    pub fn ratelimit_draft11(self) -> Self {
        self.with(|limiter| limiter.headers(Headers::Draft11))
    }

    /// Leaves responses as they are. Those past a limit have `Retry-After` all the same.
    #[must_use]
    pub fn without_headers(self) -> Self {
        self.with(|limiter| limiter.headers(Headers::None))
    }

    fn with(self, change: impl FnOnce(Limiter) -> Limiter) -> Self {
        Self { limiter: Arc::new(change(Arc::unwrap_or_clone(self.limiter))) }
    }
}

impl Default for LimitLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = LimitRequests<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitRequests::new(inner, Arc::clone(&self.limiter))
    }
}
