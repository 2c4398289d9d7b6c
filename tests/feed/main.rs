//! What an authenticator makes of changes that other processes make to its store, and of a store that gives no answer.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the time of the runtime is paused, so nothing sleeps")]

mod echoes;
mod floods;
mod node;
mod outages;
mod panics;
mod polls;
mod reports;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);
