//! The twin that writes `tracing` events.

use super::Failure;
use crate::key::KeyId;
use crate::principal::Principal;

pub(crate) fn admitted(principal: &Principal) {
    tracing::debug!(key_id = %principal.key_id(), scheme = %principal.scheme(), "admitted");
}

pub(crate) fn refused(reason: &'static str, key_id: Option<&KeyId>) {
    tracing::info!(reason, key_id = key_id.map(tracing::field::display), "refused");
}

pub(crate) fn backend_failed(failure: &Failure<'_>) {
    match failure {
        Failure::Error(error) => tracing::warn!(%error, "the key store gave no answer"),
        Failure::Panic => tracing::error!("the key store panicked"),
        Failure::Deadline(after) => tracing::warn!(?after, "the key store did not answer in time"),
    }
}
