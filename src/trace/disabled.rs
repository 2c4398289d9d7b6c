//! Empty versions of the log functions, for builds without the feature `tracing`.

// Layer 4 of 10: observation.

use std::time::Duration;

use super::Failure;
use crate::backend::BackendError;
use crate::credential::Scheme;
use crate::digest::Fingerprint;
use crate::key::KeyId;

pub(crate) fn admitted(_: &KeyId, _: &Scheme) {}

pub(crate) fn in_lookup<T>(work: impl FnOnce() -> T) -> T {
    work()
}

pub(crate) fn rejected(_: &'static str, _: Option<&'static str>, _: Option<&str>, _: Option<&KeyId>) {}

pub(crate) fn failed(_: &'static str, _: &Failure<'_>) {}

pub(crate) fn not_acknowledged(_: &[Box<str>]) {}

pub(crate) fn missing_layer(_: &'static str) {}

#[cfg(feature = "console")]
pub(crate) fn cross_origin_form(_: &(dyn std::error::Error + 'static)) {}

#[cfg(feature = "axum")]
pub(crate) fn rules_without_route(_: bool) {}

pub(crate) fn contradictory_rules(_: &str) {}

pub(crate) fn rewritten_path() {}

pub(crate) fn public_prefix_around_scopes(_: &str, _: Option<&str>) {}

pub(crate) fn usage_lost(_: u64, _: &'static str) {}

pub(crate) fn lookup_retries_exhausted(_: usize) {}

pub(crate) fn too_many_lookups(_: usize) {}

pub(crate) fn digesters_lacking(_: &[Fingerprint]) {}

pub(crate) fn settings_contradict_store(_: &'static str) {}

pub(crate) fn digest_not_added(_: &BackendError) {}

pub(crate) fn authenticator_dropped() {}

pub(crate) fn feed_panicked(_: Duration, _: u64) {}

pub(crate) fn circuit_opened(_: Duration) {}

pub(crate) fn circuit_closed() {}

pub(crate) fn counters_failed(_: &(dyn std::error::Error + 'static)) {}

pub(crate) fn count_failed(_: &(dyn std::error::Error + 'static)) {}
