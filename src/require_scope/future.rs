//! The response future: a rejection, or the response of the inner service.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::inner_service::POLLED_AFTER_COMPLETION;

pin_project! {
    /// Response future for [`RequireScope`](super::RequireScope).
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Rejected { response: Option<R> },
        Forwarded { #[pin] response: F },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(super) fn rejected(response: R) -> Self {
        Self { state: State::Rejected { response: Some(response) } }
    }

    pub(super) fn forwarded(response: F) -> Self {
        Self { state: State::Forwarded { response } }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Rejected { response } => {
                Poll::Ready(Ok(response.take().expect(POLLED_AFTER_COMPLETION)))
            }
            StateProjection::Forwarded { response } => response.poll(context),
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
