//! The limits of keys, counted in one process.

mod exact;
mod headers;
mod reference;
mod service;
#[cfg(all(feature = "axum", feature = "tonic"))]
mod sockets;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Response};
use support::probe::{Answers, Probe};
use support::{Body, Key, ok};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::backend::{Invalidation, Invalidator};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digest;
use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer, Record};

/// A service of any layers.
pub(crate) type Service = BoxCloneSyncService<http::Request<Body>, Response<Body>, std::convert::Infallible>;

/// Records that a test changes in any way, which takes effect at once.
#[derive(Clone, Default)]
pub(crate) struct Records {
    all: Arc<Mutex<HashMap<Digest, Record>>>,
    changes: Arc<Mutex<Option<Invalidator>>>,
}

impl Records {
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Self {
        let records = Self::default();
        *records.changes.lock().unwrap() = Some(Invalidator::new());
        for key in keys {
            records.all.lock().unwrap().insert(key.record.digest, key.record.clone());
        }
        records
    }

    pub(crate) fn backend(&self) -> Probe<Answers> {
        let all = Arc::clone(&self.all);
        let backend = Probe::answering(move |digest| {
            let found = all.lock().unwrap().get(&digest).cloned();
            async move { Ok(found) }
        });
        backend.invalidated_by(self.changes.lock().unwrap().as_ref().unwrap())
    }

    pub(crate) fn change(&self, key: &Key, change: impl FnOnce(&mut Record)) {
        change(self.all.lock().unwrap().get_mut(&key.record.digest).unwrap());
        let changes = self.changes.lock().unwrap();
        changes.as_ref().unwrap().invalidate(Invalidation::of(&key.record));
    }
}

/// Mints a key with limits.
pub(crate) fn limited(limits: &str) -> Key {
    Key::mint().with(|record| record.limits = limits.parse().unwrap())
}

/// Creates a service that answers 200 within the limits, and the clock that decides.
fn service(records: &Records, layer: LimitLayer) -> (Service, Arc<ManualClock>) {
    let (authenticator, clock) = support::build(Authenticator::builder(records.backend()));
    (within(authenticator, layer), clock)
}

pub(crate) fn within(authenticator: Authenticator, layer: LimitLayer) -> Service {
    let service =
        ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator)).layer(layer).service_fn(ok);
    BoxCloneSyncService::new(service)
}

pub(crate) async fn send(service: &Service, key: &Key) -> Response<Body> {
    service.clone().oneshot(key.bearer()).await.unwrap()
}

pub(crate) async fn status(service: &Service, key: &Key) -> u16 {
    send(service, key).await.status().as_u16()
}

/// Sends requests until one is refused, and returns the number of those that were admitted.
pub(crate) async fn use_up(service: &Service, key: &Key) -> u64 {
    let mut admitted = 0;
    loop {
        match status(service, key).await {
            200 => admitted += 1,
            429 => return admitted,
            other => panic!("{other}"),
        }
    }
}

/// Returns a header that is a number.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let value: &HeaderValue = headers.get(name)?;
    Some(value.to_str().unwrap().parse().unwrap())
}

/// Returns the limit, the remaining requests and the reset.
pub(crate) fn said(response: &Response<Body>) -> [u64; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        .map(|name| number(response.headers(), name).unwrap())
}
