//! An authenticator over a store that other processes change, or that does not answer.

#![allow(clippy::disallowed_methods, reason = "the runtime's time is paused, so sleeping takes no time")]

mod echoes;
mod floods;
mod node;
mod outages;
mod panics;
mod polls;
mod reports;

use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);
