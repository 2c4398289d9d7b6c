//! [`UsageStore`] as a trait object, by which a meter writes its batches.

// Layer 7 of 10: usage.

use std::future::Future;
use std::pin::Pin;

use crate::backend::{BackendError, UsageBatch, UsageStore};

pub(super) trait ErasedUsageStore: Send + Sync {
    fn add<'a>(&'a self, batch: &'a UsageBatch) -> Adding<'a>;
}

pub(super) type Adding<'a> = Pin<Box<dyn Future<Output = Result<(), BackendError>> + Send + 'a>>;

impl<S: UsageStore> ErasedUsageStore for S {
    fn add<'a>(&'a self, batch: &'a UsageBatch) -> Adding<'a> {
        Box::pin(self.add_usage(batch))
    }
}
