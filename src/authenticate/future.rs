//! The future: a refusal that is ready, a response under way, or a question to the store before either.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::caching::CacheHeaders;
use super::layer::Options;
use crate::authenticator::PendingLookup;
use crate::principal::Principal;
use crate::reject::{RefusalBody, Rejection};

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
        Refused { response: Option<S::Response> },
        Asking { question: Pin<Box<dyn Future<Output = Result<Principal, Rejection>> + Send>>, held: Option<Box<Held<S, ReqBody>>> },
        Forwarded { #[pin] response: S::Future, cache_headers: Option<CacheHeaders> },
    }
}

/// A request that waits for the store, and the service that is ready for it.
struct Held<S, ReqBody> {
    options: Arc<Options>,
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn refused(response: S::Response) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    pub(super) fn forwarded(response: S::Future, cache_headers: Option<CacheHeaders>) -> Self {
        Self { state: State::Forwarded { response, cache_headers } }
    }

    pub(super) fn asking(
        options: Arc<Options>,
        inquiry: PendingLookup,
        inner: S,
        request: Request<ReqBody>,
    ) -> Self {
        let held = Some(Box::new(Held { options, inner, request }));
        Self { state: State::Asking { question: Box::pin(inquiry.resolve()), held } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RefusalBody,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Refused { response } => {
                    return Poll::Ready(Ok(response.take().expect(POLLED_AFTER_COMPLETION)));
                }
                StateProjection::Forwarded { response, cache_headers } => {
                    let mut response = ready!(response.poll(context))?;
                    if let Some(cache_headers) = cache_headers.take() {
                        cache_headers.add_to(&mut response);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Asking { question, held } => {
                    let outcome = ready!(question.as_mut().poll(context));
                    let held = held.take().expect(POLLED_AFTER_COMPLETION);
                    held.go_on(outcome)
                }
            };
            this.state.set(next);
        }
    }
}

const POLLED_AFTER_COMPLETION: &str = "a future must not be polled after it has completed";

impl<S, ReqBody, ResBody> Held<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RefusalBody,
{
    fn go_on(mut self, outcome: Result<Principal, Rejection>) -> State<S, ReqBody> {
        match outcome {
            Ok(principal) => {
                let cache_headers = self.options.introduce(principal, &mut self.request);
                State::Forwarded { response: self.inner.call(self.request), cache_headers }
            }
            Err(rejection) => {
                let response = self.options.refuse(rejection, &self.request);
                State::Refused { response: Some(response) }
            }
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Refused { .. } => "ResponseFuture(refused)",
            State::Asking { .. } => "ResponseFuture(asking the store)",
            State::Forwarded { .. } => "ResponseFuture(forwarded)",
        })
    }
}
