//! The timeout of the cache in a running service.

use std::time::Duration;

use tokio::time::{Timeout, timeout as limit};

use crate::runtime::require_runtime;

/// Limits a future by a timeout.
pub(crate) fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    require_runtime();
    limit(duration, future)
}
