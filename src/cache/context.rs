//! The surroundings of the cache, which all of its parts use: backend, clock, limits, metrics. It knows none of the parts.

use std::future::Future;
use std::time::Duration;

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

    /// Makes a [guarded call](guarded_call), and counts a failure.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, CallError> {
        guarded_call(what, deadline, call).await.inspect_err(|error| self.metrics.failed(error.label()))
    }
}
