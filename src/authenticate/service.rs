//! The service: forwards requests that are admitted, and answers all others; and the future of its response.
//! Each response gets headers for caches, and its principal where the layer adds it; a rejection is also reported. Only `layer` and `tonic` name
//! this service: axum and key management use the principal that it leaves in a request.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::additions::NamedCaller;
use super::admission::{Admission, Decided, Options};
use super::caching::CacheHeaders;
use crate::authenticator::PendingLookup;
use crate::inner_service::{POLLED_AFTER_COMPLETION, inner_service_accessors};
use crate::principal::Principal;
use crate::reject::{Rejection, RejectionBody};

/// Middleware that admits requests with a good API key and answers all others.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct Authenticate<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S> Authenticate<S> {
    pub(super) fn new(inner: S, options: Arc<Options>) -> Self {
        Self { inner, options }
    }
}

impl<S: Clone> Authenticate<S> {
    /// Takes the polled service, which is ready: it may hold a permit, which is free again once a rejected request drops it. Its clone is not
    /// ready, and stays behind to be polled.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

inner_service_accessors!(Authenticate);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Authenticate<S>
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

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        self.options.mark_call(&mut request);
        // The usual case comes first, and is written into the future without a copy.
        match self.options.admit(&mut request) {
            Admission::Decided(Decided::Forward(cache_headers)) => ResponseFuture {
                state: State::Forwarded { response: self.inner.call(request), cache_headers },
            },
            Admission::Decided(decided) => {
                let mut inner = self.take_ready();
                ResponseFuture { state: State::of(decided, &self.options, &mut inner, request) }
            }
            Admission::LookUp(lookup) => {
                let inner = self.take_ready();
                let waiting = Waiting { options: Arc::clone(&self.options), inner, request };
                ResponseFuture::pending(lookup, waiting)
            }
        }
    }
}

pin_project! {
    /// Response future for [`Authenticate`](super::Authenticate).
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Rejected { response: Option<S::Response> },
        Pending { lookup: Pin<Box<dyn Future<Output = Result<Principal, Rejection>> + Send>>, waiting: Option<Box<Waiting<S, ReqBody>>> },
        Forwarded { #[pin] response: S::Future, cache_headers: Option<CacheHeaders> },
        ForwardedNamed { #[pin] response: S::Future, caller: Option<Box<NamedCaller>> },
    }
}

impl<S, ReqBody, ResBody> State<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RejectionBody,
{
    /// Forwards a request to the service that is ready for it, or rejects it.
    fn of(decided: Decided, options: &Options, inner: &mut S, request: Request<ReqBody>) -> Self {
        match decided {
            Decided::Forward(cache_headers) => {
                Self::Forwarded { response: inner.call(request), cache_headers }
            }
            Decided::ForwardNamed(caller) => {
                Self::ForwardedNamed { response: inner.call(request), caller: Some(caller) }
            }
            Decided::Reject(denied, caller) => {
                Self::Rejected { response: Some(options.reject(denied, caller, &request)) }
            }
        }
    }
}

/// A request that waits for a lookup, and the service that is ready for it.
struct Waiting<S, ReqBody> {
    options: Arc<Options>,
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn pending(lookup: Box<PendingLookup>, waiting: Waiting<S, ReqBody>) -> Self {
        let (lookup, waiting) = (Box::pin(lookup.resolve()), Some(Box::new(waiting)));
        Self { state: State::Pending { lookup, waiting } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RejectionBody,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Rejected { response } => {
                    return Poll::Ready(Ok(response.take().expect(POLLED_AFTER_COMPLETION)));
                }
                // Nothing is added, so the response is not moved.
                StateProjection::Forwarded { response, cache_headers: None } => {
                    return response.poll(context);
                }
                StateProjection::Forwarded { response, cache_headers: Some(cache_headers) } => {
                    // Changed in place, which saves another move.
                    let mut polled = response.poll(context);
                    if let Poll::Ready(Ok(response)) = &mut polled {
                        cache_headers.add_to(response);
                    }
                    return polled;
                }
                StateProjection::ForwardedNamed { response, caller } => {
                    let mut response = ready!(response.poll(context))?;
                    caller.take().expect(POLLED_AFTER_COMPLETION).add_to(&mut response);
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Pending { lookup, waiting } => {
                    let outcome = ready!(lookup.as_mut().poll(context));
                    waiting.take().expect(POLLED_AFTER_COMPLETION).resume(outcome)
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, ReqBody, ResBody> Waiting<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RejectionBody,
{
    fn resume(mut self, outcome: Result<Principal, Rejection>) -> State<S, ReqBody> {
        let decided = match outcome {
            Ok(principal) => self.options.authorize_and_insert(principal, &mut self.request),
            Err(rejection) => Decided::Reject(rejection.into(), None),
        };
        State::of(decided, &self.options, &mut self.inner, self.request)
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Rejected { .. } => "ResponseFuture(rejected)",
            State::Pending { .. } => "ResponseFuture(pending)",
            State::Forwarded { .. } | State::ForwardedNamed { .. } => "ResponseFuture(forwarded)",
        })
    }
}
