//! What the operator's log shows. Keys appear by their id; what a client sent does not appear at all.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod enabled;

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::*;
#[cfg(feature = "tracing")]
pub(crate) use enabled::*;

#[cfg(all(feature = "manage", feature = "axum"))]
use std::error::Error;
use std::time::Duration;

use crate::backend::BackendError;
#[cfg(feature = "password")]
use crate::password::PasswordError;

/// Why the store gave no answer.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "read by the enabled twin"))]
pub(crate) enum Failure<'f> {
    Error(&'f BackendError),
    Panic,
    Deadline(Duration),
    /// What the management of keys came upon.
    #[cfg(all(feature = "manage", feature = "axum"))]
    Other(&'f (dyn Error + 'static)),
    #[cfg(feature = "password")]
    Password(&'f PasswordError),
}
