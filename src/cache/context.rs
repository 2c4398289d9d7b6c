//! The surroundings of the cache, which all of its parts use: backend, clock, limits, settings, metrics. This file knows none of the parts.

// Layer 6 of 10: cache.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::Limits;
use super::checked_settings::CheckedSettings;
use super::dual_instant::DualInstant;
use super::sync::Arc;
use crate::backend::{BackendError, ErasedBackend};
use crate::clock::Clock;
use crate::guarded_call::{CallError, guarded_call};
use crate::metrics::Metrics;

pub(super) struct Context {
    pub(super) backend: Box<dyn ErasedBackend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) settings: CheckedSettings,
    pub(super) metrics: Metrics,
}

impl Context {
    /// Returns the exact time.
    pub(super) fn now(&self) -> DualInstant {
        DualInstant::now(&*self.clock)
    }

    /// Makes a [guarded call](guarded_call), which logs a failure, and counts the failure in the metrics.
    pub(super) fn call<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<T, BackendError>>,
    ) -> impl Future<Output = Result<T, CallError>> {
        CountedCall { call: guarded_call(what, deadline, call), metrics: &self.metrics }
    }
}

pin_project! {
    /// The future of [`Context::call`]. It has a name because an async function has room for its argument twice, and moves it.
    struct CountedCall<'c, F> {
        #[pin]
        call: F,
        metrics: &'c Metrics,
    }
}

impl<T, F: Future<Output = Result<T, CallError>>> Future for CountedCall<'_, F> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.call.poll(context));
        Poll::Ready(outcome.inspect_err(|error| this.metrics.failed(error.label())))
    }
}
