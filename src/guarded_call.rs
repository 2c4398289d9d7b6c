//! Calls of a store that may fail, hang or panic.
//!
//! Above `backend` and `trace`; below `cache` and `usage`, which make these calls.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

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
pub(crate) async fn guarded_call<T>(
    what: &'static str,
    deadline: Duration,
    call: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, CallError> {
    match timeout(deadline, catch_panic(call)).await {
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
    }
}

/// Returns `None` if the future panics.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
