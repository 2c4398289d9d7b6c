//! Waiting for whichever of two comes first.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Waits for either of two, of which the other one is dropped, and tells whether it was `this`.
pub(crate) async fn comes_first(this: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    unless(this, other).await.is_none()
}

/// Waits for an answer, or returns `None` when there is an interruption before it.
pub(crate) async fn unless<T>(
    interruption: impl Future<Output = ()>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let (mut interruption, mut answer) = (pin!(interruption), pin!(answer));
    poll_fn(|context| match interruption.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => answer.as_mut().poll(context).map(Some),
    })
    .await
}
