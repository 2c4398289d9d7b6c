//! The timeout of the cache in a running service.

// Layer 2 of 10: support.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::runtime::require_runtime;

/// Limits a future by a timeout, which counts from now. No timer is set for a future that is ready when it is first polled.
#[track_caller]
pub(crate) fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    require_runtime();
    require_timer();
    Timeout { future, began: Instant::now(), duration, timer: None }
}

thread_local! {
    /// Whether the runtime of this thread has a timer.
    static HAS_TIMER: Cell<bool> = const { Cell::new(false) };
}

/// Panics with Tokio's message if the runtime has no timer: at the first lookup, and not at the first one that is slow.
#[track_caller]
fn require_timer() {
    if !HAS_TIMER.get() {
        drop(sleep_until(Instant::now()));
        HAS_TIMER.set(true);
    }
}

pin_project! {
    /// The future of [`timeout`].
    pub(crate) struct Timeout<F> {
        #[pin]
        future: F,
        began: Instant,
        duration: Duration,
        #[pin]
        timer: Option<Sleep>,
    }
}

/// The timeout has passed.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        if this.timer.is_none() {
            let end = this.began.checked_add(*this.duration);
            // An end beyond the clock never comes.
            let Some(end) = end else { return Poll::Pending };
            this.timer.set(Some(sleep_until(end)));
        }
        match this.timer.as_pin_mut() {
            // A future that has used up the budget of its task must not hold up its own timeout.
            Some(timer) => Pin::new(&mut unconstrained(timer)).poll(context).map(|()| Err(Elapsed)),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::coop::consume_budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_counts_from_its_creation_and_not_from_its_first_poll() {
        let limited = timeout(Duration::from_secs(2), pending::<()>());
        tokio::time::advance(Duration::from_secs(1)).await;
        let began = Instant::now();
        assert!(limited.await.is_err());
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_output_wins_over_a_timeout_of_zero_and_the_longest_never_passes() {
        assert!(timeout(Duration::ZERO, ready(())).await.is_ok());
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        let longest = timeout(Duration::MAX, pending::<()>());
        assert!(tokio::time::timeout(Duration::from_secs(1_000_000), longest).await.is_err());
    }

    #[tokio::test]
    async fn it_passes_for_a_future_that_uses_up_the_budget_of_its_task() {
        const CONSUMED: u32 = 3_000_000;
        let busy = async {
            for _ in 0..CONSUMED {
                consume_budget().await;
            }
        };
        assert!(timeout(Duration::ZERO, busy).await.is_err());
    }
}
