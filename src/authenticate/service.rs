//! The service: what happens to one request.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, Method, Request, Response, header};
use tower_service::Service;

use super::ResponseFuture;
use super::layer::Options;
use crate::authenticator::{Decision, Inquiry};
use crate::credential::Scheme;
use crate::principal::Principal;
use crate::reject::{Addressee, Anonymous, Call, Reason, RefusalBody, Rejection};

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
            Admission::Forward(uncacheable) => ResponseFuture::forwarded(inner.call(request), uncacheable),
            Admission::Refuse(rejection) => {
                ResponseFuture::refused(rejection.answer(Addressee::of(&request)))
            }
            Admission::Ask(inquiry) => {
                ResponseFuture::asking(Arc::clone(&self.options), *inquiry, inner, request)
            }
        }
    }
}

/// What becomes of a request, as far as its headers tell.
enum Admission {
    /// It goes on. A response that depends on this header must not be kept for others.
    Forward(Option<HeaderName>),
    Refuse(Rejection),
    Ask(Box<Inquiry>),
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
            return self.forward_anonymous(request, true);
        }
        if self.public.contain(request) {
            return self.forward_anonymous(request, false);
        }
        match self.authenticator.decide_and_mark(request.headers_mut()) {
            Decision::Made(Ok(principal)) => Admission::Forward(self.introduce(principal, request)),
            Decision::Made(Err(rejection)) if self.optional && *rejection.reason() == Reason::Missing => {
                self.forward_anonymous(request, false)
            }
            Decision::Made(Err(rejection)) => Admission::Refuse(rejection),
            Decision::Pending(inquiry) => Admission::Ask(Box::new(inquiry)),
        }
    }

    fn forward_anonymous<B>(&self, request: &mut Request<B>, preflight: bool) -> Admission {
        // A credential that nobody asked for is a secret all the same.
        self.authenticator.sources().mark(request.headers_mut());
        self.strip_if_asked(request);
        // Nothing upstream may say who is calling. Where we say it ourselves, that takes the place of what was there.
        request.extensions_mut().remove::<Principal>();
        let answers = Arc::clone(self.authenticator.answers());
        request.extensions_mut().insert(Anonymous { answers, preflight });
        Admission::Forward(None)
    }

    /// Puts the principal into the request, and returns the header on which the response depends: shared caches know of
    /// `Authorization`, and of no other (RFC 9111 §3.5).
    pub(super) fn introduce<B>(&self, principal: Principal, request: &mut Request<B>) -> Option<HeaderName> {
        let depends_on = match self.authenticator.sources().scheme_at(principal.source()) {
            Scheme::Bearer | Scheme::Basic => None,
            Scheme::Header(name) => Some(name.clone()),
        };
        self.strip_if_asked(request);
        request.extensions_mut().insert(principal);
        depends_on
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
