//! Calls of a store that may fail, hang or panic.
//!
//! Above `backend` and `trace`; below `cache` and `usage`, which make these calls.

// Layer 4 of 10: observation.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::backend::BackendError;
use crate::timeout::timeout;
use crate::trace::{self, Failure};

/// Why a call got no answer. It has been logged.
#[derive(Debug)]
pub(crate) enum CallError {
    Error(BackendError),
    Panic,
    Deadline,
}

impl CallError {
    /// Returns a name for metrics, in snake case.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Error(error) => error.kind().label(),
            Self::Panic => "panic",
            Self::Deadline => "deadline",
        }
    }

    /// Converts to the error of the call, which had this `deadline`.
    pub(crate) fn into_error(self, deadline: Duration) -> BackendError {
        match self {
            Self::Error(error) => error,
            other => BackendError::unavailable(other.message(deadline)),
        }
    }

    /// Returns the cause as a text.
    pub(crate) fn message(&self, deadline: Duration) -> String {
        match self {
            Self::Error(error) => error.to_string(),
            Self::Panic => "it panicked".to_owned(),
            Self::Deadline => format!("it did not answer within {deadline:?}"),
        }
    }
}

/// Waits for a call of the store, at most until the deadline. Logs a failure, in which `what` was called.
pub(crate) fn guarded_call<T>(
    what: &'static str,
    deadline: Duration,
    call: impl Future<Output = Result<T, BackendError>>,
) -> impl Future<Output = Result<T, CallError>> {
    GuardedCall { call: timeout(deadline, catch_panic(call)), what, deadline }
}

/// Returns `None` if the future panics.
pub(crate) fn catch_panic<F: Future>(future: F) -> impl Future<Output = Option<F::Output>> {
    CatchPanic { future }
}

pin_project! {
    /// The future of [`guarded_call`]. It has a name because an async function has room for its argument twice, and moves it.
    struct GuardedCall<F> {
        #[pin]
        call: F,
        what: &'static str,
        deadline: Duration,
    }
}

impl<T, E, F> Future for GuardedCall<F>
where
    F: Future<Output = Result<Option<Result<T, BackendError>>, E>>,
{
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (what, deadline) = (*this.what, *this.deadline);
        Poll::Ready(match ready!(this.call.poll(context)) {
            Ok(Some(Ok(answer))) => Ok(answer),
            Ok(Some(Err(error))) => {
                trace::failed(what, &Failure::Error(&error));
                Err(CallError::Error(error))
            }
            Ok(None) => {
                trace::failed(what, &Failure::Panic);
                Err(CallError::Panic)
            }
            Err(_) => {
                trace::failed(what, &Failure::Deadline(deadline));
                Err(CallError::Deadline)
            }
        })
    }
}

pin_project! {
    /// The future of [`catch_panic`].
    struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match catch_unwind(AssertUnwindSafe(|| this.future.poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}
