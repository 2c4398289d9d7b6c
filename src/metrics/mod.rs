//! What the operator's graphs show, by way of the [`metrics`](https://docs.rs/metrics) facade, whose recorder the application
//! chooses.
//!
//! | Name | Kind | |
//! |---|---|---|
//! | [`ADMISSIONS`] | counter | requests that were admitted |
//! | [`REFUSALS`] | counter | requests that were refused, by `reason` (see [`Reason::label`](crate::Reason::label)) |
//! | [`CACHE_HITS`], [`CACHE_MISSES`] | counters | keys that were answered without the store, and with it |
//! | [`LOOK_UPS`] | gauge | lookups that run or wait to run |
//! | [`STORE_LEFT_ALONE`] | gauge | 1 while the store is left alone because it gave no answer |
//! | [`FEED_LAG`] | gauge | seconds since the last answered poll began, as of the end of the last poll |
//! | [`LEASE_REMAINING`] | gauge | seconds for which what is cached counts, as of the end of the last poll |
//! | [`FEED_LISTENING`] | gauge | 1 while word of changes can arrive before a poll |
//! | [`FEED_RESTARTS`] | counter | how often the poller was restarted after its feed panicked |
//! | [`BACKEND_ERRORS`] | counter | lookups and polls that the store gave no answer to, by `kind`: that of the error (see [`BackendErrorKind::label`](crate::BackendErrorKind::label)), `panic` or `deadline` |
//! | [`STALE_ADMISSIONS`] | counter | requests that were admitted by a record in the [stale grace](crate::AuthenticatorBuilder::stale_grace), among the admissions |
//! | [`INVALIDATIONS`] | counter | changes that made cached records void, by `kind`: `revoked` and `changed` for a key, `everything` |
//! | [`USAGE_BACKLOG`], [`USAGE_LOST`] | gauge, counter | counts of usage that wait to be written, and requests whose counts are lost |
//!
//! All have a label `authenticator`, which is `default` unless [`metrics_name`](crate::AuthenticatorBuilder::metrics_name) says
//! otherwise, and [`UsageBuilder::metrics_name`](crate::usage::UsageBuilder::metrics_name) for the last two. An authenticator finds
//! its recorder when it is built, and a meter of usage likewise: install the recorder before.

/// The label of whoever is not given another.
pub(crate) const METRICS_NAME: &str = "default";

#[cfg(not(feature = "metrics"))]
mod disabled;
#[cfg(feature = "metrics")]
mod enabled;
#[cfg(feature = "metrics")]
mod names;

#[cfg(not(feature = "metrics"))]
pub(crate) use disabled::*;
#[cfg(feature = "metrics")]
pub(crate) use enabled::*;

#[cfg(feature = "metrics")]
pub use names::*;
