//! The service: refuses requests past a limit.

// Layer 8 of 10: decision.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use super::limiter::{Admission, Asking, Limiter, Refusal};
use crate::inner_service::inner_service_accessors;
use crate::reject::RejectionBody;

/// Middleware that admits a request only if the limits of its key leave room for it.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct LimitRequests<S> {
    inner: S,
    limiter: Arc<Limiter>,
}

impl<S> LimitRequests<S> {
    pub(super) fn new(inner: S, limiter: Arc<Limiter>) -> Self {
        Self { inner, limiter }
    }
}

inner_service_accessors!(LimitRequests);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for LimitRequests<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: RejectionBody,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.limiter.admit(&request) {
            Admission::Decided(Ok(allowance)) => {
                ResponseFuture::forwarded(self.inner.call(request), allowance)
            }
            Admission::Decided(Err(refusal)) => self.refuse(*refusal, &request),
            Admission::Asking(asking) => self.wait(asking, request),
        }
    }
}

// Apart from `call`, so that a request that is admitted at once pays nothing for them.
impl<S: Clone> LimitRequests<S> {
    #[cold]
    fn refuse<ReqBody, ResBody>(
        &mut self,
        refusal: Refusal,
        request: &Request<ReqBody>,
    ) -> ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        ResBody: RejectionBody,
    {
        // Gives back what the inner service has reserved for this request, such as a permit.
        self.inner = self.inner.clone();
        ResponseFuture::rejected(refusal.into_response_to(request))
    }

    #[inline(never)]
    fn wait<ReqBody>(&mut self, asking: Asking, request: Request<ReqBody>) -> ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        // The clone is not ready, and stays behind to be polled.
        let clone = self.inner.clone();
        ResponseFuture::pending(asking, mem::replace(&mut self.inner, clone), request)
    }
}
