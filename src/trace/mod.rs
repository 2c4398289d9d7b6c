//! Lines of the operator's log. A key appears by its id only, and a route by its template; nothing that a client sent appears.

// Layer 4 of 10: observation.
// Above `backend`; below `guarded_call` and `reject`. Bottom to top, a file importing only those before it: `self`, `enabled`, `disabled`.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod enabled;

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::*;
#[cfg(feature = "tracing")]
pub(crate) use enabled::*;

#[cfg(feature = "routes")]
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backend::BackendError;
#[cfg(feature = "password")]
use crate::password::PasswordError;

/// A line that is logged once, as a client could repeat the request for it without end. Each line has its own, so that none hides another.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Returns `true` for the first call.
    pub(crate) fn is_first(&self) -> bool {
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Relaxed)
    }
}

/// The reason why an operation failed.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "read by `enabled`"))]
pub(crate) enum Failure<'f> {
    Error(&'f BackendError),
    Panic,
    Deadline(Duration),
    /// An error of the key management.
    #[cfg(feature = "routes")]
    Other(&'f (dyn Error + 'static)),
    #[cfg(feature = "password")]
    Password(&'f PasswordError),
}
