//! Metrics for the operator's graphs, through the [`metrics`](https://docs.rs/metrics) facade, whose recorder the application
//! chooses.
//!
//! | Name | Kind | |
//! |---|---|---|
//! | [`ADMISSIONS`] | counter | requests that were admitted |
//! | [`REJECTIONS`] | counter | requests that were rejected, by `reason` (see [`Reason::label`](crate::Reason::label)) |
//! | [`CACHE_HITS`], [`CACHE_MISSES`] | counters | keys that were found without reading the store, and those for which it was read |
//! | [`LOOKUPS`] | gauge | lookups that run or wait to run |
//! | [`CIRCUIT_OPEN`] | gauge | 1 while the [circuit](crate::AuthenticatorBuilder::circuit_breaker) to the store is open, because it gave no answer |
//! | [`FEED_LAG`] | gauge | seconds since the last answered poll began, as of the end of the last poll |
//! | [`LEASE_REMAINING`] | gauge | seconds for which cached entries are valid, as of the end of the last poll |
//! | [`FEED_LISTENING`] | gauge | 1 while notifications of changes can arrive between polls |
//! | [`FEED_RESTARTS`] | counter | how often the poller was restarted after its feed panicked |
//! | [`BACKEND_ERRORS`] | counter | calls by the cache that the store did not answer, by `kind`: that of the error (see [`BackendErrorKind::label`](crate::backend::BackendErrorKind::label)), `panic` or `deadline` |
//! | [`STALE_ADMISSIONS`] | counter | requests that were admitted by a stale entry (see [`stale_grace`](crate::AuthenticatorBuilder::stale_grace)), among the admissions |
//! | [`INVALIDATIONS`] | counter | changes that invalidated cached entries, by `kind`: `revoked` and `changed` for a key, `everything` |
//! | [`COUNTERS_AWAY`] | counter | requests whose limits were decided without the counter store (see [`Outage`](crate::limit_requests::Outage)) |
//! | [`USAGE_BACKLOG`], [`USAGE_LOST`] | gauge, counter | counts of usage that wait to be written, and requests whose counts are lost |
//!
//! All have a label `authenticator`, which is `default` unless it is set by [`metrics_name`](crate::AuthenticatorBuilder::metrics_name),
//! and by [`UsageBuilder::metrics_name`](crate::usage::UsageBuilder::metrics_name) for the last two. An authenticator finds its recorder
//! when it is built, and so does a usage meter: install the recorder before.

// Layer 4 of 10: observation.

/// The default of the label `authenticator`.
pub(crate) const METRICS_NAME: &str = "default";

// Above `backend`; below `guarded_call`, `reject` and `cache`. Bottom to top, a file importing only those before it:
// `names`, `enabled`, `disabled`, `self`.

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
