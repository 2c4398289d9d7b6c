//! The least that a layer can do: SHA-256, a plain concurrent map, and the record in the extensions.
//!
//! The map never evicts, so this layer is unfit for production.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::{Request, Response};
use tower::Service;
use tower_api_key::Record;

use super::{Body, Extract, digest, unauthorized};

/// Records by digest.
pub type Map = papaya::HashMap<[u8; 32], Arc<Record>>;

/// The layer with its inner service.
#[derive(Clone)]
pub struct Floor<S> {
    inner: S,
    records: Arc<Map>,
    extract: Extract,
}

impl<S> Floor<S> {
    /// Wraps a service. All records are in the map from the start.
    pub fn new(inner: S, records: impl IntoIterator<Item = Record>, extract: Extract) -> Self {
        let records =
            records.into_iter().map(|record| (*record.digest.as_bytes(), Arc::new(record))).collect();
        Self { inner, records: Arc::new(records), extract }
    }

    fn find(&self, digest: &[u8; 32]) -> Option<Arc<Record>> {
        self.records.pin().get(digest).cloned()
    }
}

impl<S, B> Service<Request<B>> for Floor<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<S::Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let found = digest(self.extract, request.headers()).and_then(|digest| self.find(&digest));
        match found {
            Some(record) => {
                request.extensions_mut().insert(record);
                Either::Left(self.inner.call(request))
            }
            None => Either::Right(ready(Ok(unauthorized()))),
        }
    }
}
