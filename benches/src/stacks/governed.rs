//! The common hand-written limiter: governor, keyed by the id of the admitted key.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Request, Response, StatusCode};
use tower::Service;
use tower_api_key::{KeyId, Principal};

/// A layer with a limit for each key. It needs the principal of another layer.
#[derive(Clone)]
pub struct Governed<S> {
    inner: S,
    keys: Arc<DefaultKeyedRateLimiter<KeyId>>,
}

impl<S> Governed<S> {
    /// Creates a limiter that refuses no request of a bench.
    pub fn new(inner: S) -> Self {
        let most = std::num::NonZeroU32::MAX;
        Self { inner, keys: Arc::new(RateLimiter::keyed(Quota::per_second(most))) }
    }
}

impl<S, B, R> Service<Request<B>> for Governed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let key = request.extensions().get::<Principal>().map(Principal::key_id);
        if key.is_some_and(|key| self.keys.check_key(key).is_ok()) {
            return Either::Left(self.inner.call(request));
        }
        let mut response = Response::new(R::default());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        Either::Right(ready(Ok(response)))
    }
}
