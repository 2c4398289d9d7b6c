//! Waiting for the first of two futures. It imports nothing of this crate.

// Layer 2 of 10: support.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The output of the future that was ready first.
pub(crate) enum Either<L, R> {
    Left(L),
    Right(R),
}

/// Waits for the first of two futures, and drops the other. If both are ready, `left` is first.
pub(crate) async fn select<L, R>(
    left: impl Future<Output = L>,
    right: impl Future<Output = R>,
) -> Either<L, R> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| match left.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Either::Left(output)),
        Poll::Pending => right.as_mut().poll(context).map(Either::Right),
    })
    .await
}
