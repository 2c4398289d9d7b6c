//! The service: what happens to one request.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, header};
use tower_service::Service;

use super::ResponseFuture;
use super::caching::{CacheHeaders, CacheKey};
use super::layer::Options;
use crate::authenticator::{Decision, PendingLookup};
use crate::principal::Principal;
use crate::reject::{Anonymous, Call, Reason, RefusalBody, Rejection, RequestProtocol};

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

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives up the middleware and returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Authenticate<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: RefusalBody,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // The service that was polled is the one that is ready; its clone is not, and stays behind to be polled.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);

        self.options.note_call(&mut request);
        match self.options.admit(&mut request) {
            Admission::Forward(cache_headers) => {
                ResponseFuture::forwarded(inner.call(request), cache_headers)
            }
            Admission::Refuse(rejection) => ResponseFuture::refused(self.options.refuse(rejection, &request)),
            Admission::Ask(inquiry) => {
                ResponseFuture::asking(Arc::clone(&self.options), *inquiry, inner, request)
            }
        }
    }
}

/// What becomes of a request, as far as its headers tell.
enum Admission {
    /// It goes on, and this is added to the response.
    Forward(Option<CacheHeaders>),
    Refuse(Rejection),
    Ask(Box<PendingLookup>),
}

impl Options {
    /// Notes for the answer, and for layers inside, that a request is a gRPC call.
    fn note_call<B>(&self, request: &mut Request<B>) {
        if self.grpc
            && let Some(call) = Call::of(request)
        {
            request.extensions_mut().insert(call);
        }
    }

    fn admit<B>(&self, request: &mut Request<B>) -> Admission {
        if self.preflight && is_preflight(request) {
            return self.forward_anonymous(request, true, None);
        }
        if self.public.contain(request) {
            return self.forward_anonymous(request, false, None);
        }
        let decision = match request.extensions().get::<Principal>() {
            None => self.authenticator.decide_and_mark(request.headers_mut(), None),
            Some(before) => {
                let before = before.clone();
                self.decide_again(request, &before)
            }
        };
        match decision {
            Decision::Made(Ok(principal)) => Admission::Forward(self.introduce(principal, request)),
            Decision::Made(Err(rejection)) if self.optional && *rejection.reason() == Reason::Missing => {
                // Whether a credential came decides who is calling here as well.
                let cache_headers = self.cache_key.as_ref().map(CacheKey::for_anyone);
                self.forward_anonymous(request, false, cache_headers)
            }
            Decision::Made(Err(rejection)) => Admission::Refuse(rejection),
            Decision::Pending(inquiry) => Admission::Ask(Box::new(inquiry)),
        }
    }

    /// Decides behind a layer further out, which has admitted a caller.
    #[cold]
    fn decide_again<B>(&self, request: &mut Request<B>, before: &Principal) -> Decision {
        self.authenticator.decide_and_mark(request.headers_mut(), Some(before))
    }

    fn forward_anonymous<B>(
        &self,
        request: &mut Request<B>,
        preflight: bool,
        cache_headers: Option<CacheHeaders>,
    ) -> Admission {
        // A credential that nobody asked for is a secret all the same.
        self.authenticator.sources().mark(request.headers_mut());
        self.strip_if_asked(request);
        // Nothing upstream may say who is calling. Where we say it ourselves, that takes the place of what was there.
        request.extensions_mut().remove::<Principal>();
        let responses = Arc::clone(self.authenticator.responses());
        request.extensions_mut().insert(Anonymous { responses, preflight });
        Admission::Forward(cache_headers)
    }

    /// Puts the principal into the request, and returns what is added to the response.
    pub(super) fn introduce<B>(
        &self,
        principal: Principal,
        request: &mut Request<B>,
    ) -> Option<CacheHeaders> {
        self.strip_if_asked(request);
        request.extensions_mut().insert(principal);
        self.cache_key.as_ref().map(CacheKey::for_caller)
    }

    /// Answers a request that is refused.
    pub(super) fn refuse<B, R: RefusalBody>(
        &self,
        rejection: Rejection,
        request: &Request<B>,
    ) -> Response<R> {
        let mut response = rejection.answer(RequestProtocol::of(request));
        if let Some(key) = &self.cache_key {
            key.for_anyone().add_to(&mut response);
        }
        response
    }

    fn strip_if_asked<B>(&self, request: &mut Request<B>) {
        if self.strip {
            self.authenticator.sources().strip(request.headers_mut());
        }
    }
}

/// Tells whether a browser asks whether it may ask (Fetch standard, CORS-preflight request).
fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
