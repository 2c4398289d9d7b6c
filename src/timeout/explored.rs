//! The timeout of a model (`--cfg shuttle`).

// Layer 2 of 10: support.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

/// Limits a future by a timeout that passes at any poll, chosen by the scheduler.
///
/// One of an hour or more never passes, for scenarios in which no client gives up.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    const MOST_POLLS: u32 = 12;
    if limit >= Duration::from_secs(60 * 60) {
        return Ok(future.await);
    }
    let mut future = pin!(future);
    let mut left = thread_rng().gen_range(1..=MOST_POLLS);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        left -= 1;
        if left == 0 {
            return Poll::Ready(Err(Elapsed));
        }
        // Time passes even if nothing happens.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[derive(Debug)]
pub(crate) struct Elapsed;
