//! The response future: a rejection, the answer of the counter store, or the response of the inner service with the headers of the limits.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::headers::Allowance;
use super::limiter::{Asking, Decision};
use crate::inner_service::POLLED_AFTER_COMPLETION;
use crate::reject::{Reason, Rejection, RejectionBody};

pin_project! {
    /// Response future for [`LimitRequests`](super::LimitRequests).
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
        Pending { asking: Asking, waiting: Option<Box<Waiting<S, ReqBody>>> },
        Forwarded { #[pin] response: S::Future, allowance: Option<Allowance> },
    }
}

/// A request that waits for the counter store, and the service that is ready for it.
struct Waiting<S, ReqBody> {
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn rejected(response: S::Response) -> Self {
        Self { state: State::Rejected { response: Some(response) } }
    }

    pub(super) fn forwarded(response: S::Future, allowance: Option<Allowance>) -> Self {
        Self { state: State::Forwarded { response, allowance } }
    }

    /// Creates the future of a request that waits, with the service that is ready for it.
    pub(super) fn pending(asking: Asking, inner: S, request: Request<ReqBody>) -> Self {
        Self { state: State::Pending { asking, waiting: Some(Box::new(Waiting { inner, request })) } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RejectionBody,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.as_mut().project().state.project() {
            // Nothing is added, so the response is not moved.
            StateProjection::Forwarded { response, allowance: None } => response.poll(context),
            _ => self.poll_otherwise(context),
        }
    }
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: RejectionBody,
{
    /// Polls in any state. Apart from `poll`, which does little in the usual one.
    #[inline(never)]
    fn poll_otherwise(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Rejected { response } => {
                    return Poll::Ready(Ok(response.take().expect(POLLED_AFTER_COMPLETION)));
                }
                StateProjection::Forwarded { response, allowance } => {
                    // Changed in place, which saves another move.
                    let mut polled = response.poll(context);
                    if let Poll::Ready(Ok(response)) = &mut polled
                        // Unless a layer inside has refused the request: its headers say for how long.
                        && !is_limited(response)
                        && let Some(allowance) = allowance.take()
                    {
                        allowance.set(response.headers_mut());
                    }
                    return polled;
                }
                StateProjection::Pending { asking, waiting } => {
                    let decision = ready!(asking.as_mut().poll(context));
                    waiting.take().expect(POLLED_AFTER_COMPLETION).resume(decision)
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
    fn resume(mut self, decision: Decision) -> State<S, ReqBody> {
        match decision {
            Ok(allowance) => State::Forwarded { response: self.inner.call(self.request), allowance },
            Err(refusal) => State::Rejected { response: Some(refusal.into_response_to(&self.request)) },
        }
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
            State::Forwarded { .. } => "ResponseFuture(forwarded)",
        })
    }
}

fn is_limited<B>(response: &Response<B>) -> bool {
    let rejection = response.extensions().get::<Rejection>();
    rejection.is_some_and(|rejection| matches!(rejection.reason(), Reason::Limited(_)))
}
