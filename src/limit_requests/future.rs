//! The response future: a rejection, or the response of the inner service with the headers of the limits.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::headers::Allowance;
use crate::reject::{Reason, Rejection};

pin_project! {
    /// Response future for [`LimitRequests`](super::LimitRequests).
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Rejected { response: Option<R> },
        Forwarded { #[pin] response: F, allowance: Option<Allowance> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(super) fn rejected(response: R) -> Self {
        Self { state: State::Rejected { response: Some(response) } }
    }

    pub(super) fn forwarded(response: F, allowance: Option<Allowance>) -> Self {
        Self { state: State::Forwarded { response, allowance } }
    }
}

impl<F, B, E> Future for ResponseFuture<F, Response<B>>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Rejected { response } => {
                Poll::Ready(Ok(response.take().expect("a future must not be polled after it has completed")))
            }
            StateProjection::Forwarded { response, allowance } => {
                let mut response = ready!(response.poll(context))?;
                // A layer inside has refused the request, and its headers say for how long.
                let is_limited = is_limited(&response);
                if let Some(allowance) = allowance.take().filter(|_| !is_limited) {
                    allowance.set(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Rejected { .. } => "ResponseFuture(rejected)",
            State::Forwarded { .. } => "ResponseFuture(forwarded)",
        })
    }
}

fn is_limited<B>(response: &Response<B>) -> bool {
    let rejection = response.extensions().get::<Rejection>();
    rejection.is_some_and(|rejection| matches!(rejection.reason(), Reason::Limited(_)))
}
