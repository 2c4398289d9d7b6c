//! The twin that writes `tracing` events.

use std::time::Duration;

use super::Failure;
use crate::key::KeyId;
use crate::principal::Principal;

/// What filters name. The modules of this crate are its own business.
const TARGET: &str = "tower_api_key";

pub(crate) fn admitted(principal: &Principal) {
    tracing::debug!(target: TARGET, key_id = %principal.key_id(), scheme = %principal.scheme(), "admitted");
}

pub(crate) fn refused(reason: &'static str, key_id: Option<&KeyId>) {
    tracing::info!(target: TARGET, reason, key_id = key_id.map(tracing::field::display), "refused");
}

pub(crate) fn failed(what: &'static str, failure: &Failure<'_>) {
    match failure {
        Failure::Error(error) => tracing::warn!(target: TARGET, %error, "{what} gave no answer"),
        Failure::Panic => tracing::error!(target: TARGET, "{what} panicked"),
        Failure::Deadline(after) => {
            tracing::warn!(target: TARGET, ?after, "{what} did not answer in time");
        }
        #[cfg(feature = "password")]
        Failure::Password(error) => tracing::warn!(target: TARGET, %error, "{what} was not done"),
    }
}

#[cfg(feature = "manage")]
pub(crate) fn not_acknowledged(nodes: &[Box<str>]) {
    tracing::warn!(target: TARGET, ?nodes, "nodes have not acknowledged a revocation in time");
}

pub(crate) fn not_layered(needs: &'static str) {
    tracing::error!(
        target: TARGET,
        "{needs} found no caller, because the request did not pass an `AuthenticateLayer`: add `AuthenticateLayer` outside of it, which is \
         the last `.layer` of an axum router, and the first of a `ServiceBuilder`"
    );
}

pub(crate) fn lost(why: &'static str) {
    tracing::error!(target: TARGET, "counts of usage are lost: {why}");
}

pub(crate) fn paused(pause: Duration) {
    tracing::warn!(target: TARGET, ?pause, "the key store is left alone, after several attempts without an answer");
}

pub(crate) fn resumed() {
    tracing::info!(target: TARGET, "the key store answers again");
}
