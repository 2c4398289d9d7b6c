//! Waiting for whichever of two comes first.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Waits for either of two, of which the other one is dropped, and tells whether it was `this`.
pub(crate) async fn comes_first(this: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    let (mut this, mut other) = (pin!(this), pin!(other));
    poll_fn(|context| match this.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => other.as_mut().poll(context).map(|()| false),
    })
    .await
}
