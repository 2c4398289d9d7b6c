//! The twin that writes `tracing` events.

use std::error::Error;
use std::time::Duration;

use super::Failure;
use crate::backend::{BackendError, BackendErrorKind};
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
        Failure::Error(error) => {
            let (kind, causes) = (error.kind().label(), causes(error, cause_of(error)));
            match error.kind() {
                // It stays so until the row is mended.
                BackendErrorKind::Corrupt => {
                    tracing::error!(target: TARGET, kind, error = causes, "{what} cannot be understood");
                }
                _ => tracing::warn!(target: TARGET, kind, error = causes, "{what} gave no answer"),
            }
        }
        Failure::Panic => tracing::error!(target: TARGET, "{what} panicked"),
        Failure::Deadline(after) => {
            tracing::warn!(target: TARGET, ?after, "{what} did not answer in time");
        }
        #[cfg(all(feature = "manage", feature = "axum"))]
        Failure::Other(error) => {
            tracing::warn!(target: TARGET, error = causes(*error, error.source()), "{what} failed");
        }
        #[cfg(feature = "password")]
        Failure::Password(error) => tracing::warn!(target: TARGET, %error, "{what} was not done"),
    }
}

#[cfg(feature = "manage")]
pub(crate) fn not_acknowledged(nodes: &[Box<str>]) {
    tracing::warn!(target: TARGET, ?nodes, "these nodes have not acknowledged a revocation in time; if none is named, the list of nodes could not be read");
}

pub(crate) fn not_layered(needs: &'static str) {
    tracing::error!(
        target: TARGET,
        "{needs} found no caller, because the request did not pass an `AuthenticateLayer`: add `AuthenticateLayer` outside of it, which is \
         the last `.layer` of an axum router, and the first of a `ServiceBuilder`"
    );
}

pub(crate) fn lost(requests: u64, why: &'static str) {
    tracing::error!(target: TARGET, requests, "counts of usage are lost: {why}");
}

fn cause_of(error: &BackendError) -> Option<&(dyn Error + 'static)> {
    error.cause().map(|cause| cause as _)
}

/// Returns an error with all that caused it. Many errors say their cause themselves: that is not repeated.
fn causes(error: &dyn Error, mut cause: Option<&(dyn Error + 'static)>) -> String {
    let mut said = error.to_string();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        cause = error.source();
    }
    said
}

pub(crate) fn unsettled(reads: usize) {
    tracing::warn!(target: TARGET, reads, "a key was changed during each of several lookups of it, so that none counts");
}

pub(crate) fn turned_away(lookups: usize) {
    tracing::warn!(
        target: TARGET,
        lookups,
        "requests are refused because too many wait for the key store; said once a second at the most"
    );
}

pub(crate) fn orphaned() {
    tracing::warn!(target: TARGET, "a caller cannot be judged again, because its authenticator was dropped");
}

pub(crate) fn restarted(pause: Duration, restarts: u64) {
    tracing::error!(target: TARGET, ?pause, restarts, "the feed of changes to keys panicked, and is replaced after a pause");
}

pub(crate) fn paused(pause: Duration) {
    tracing::warn!(target: TARGET, ?pause, "the key store is left alone, after several attempts without an answer");
}

pub(crate) fn resumed() {
    tracing::info!(target: TARGET, "the key store answers again");
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error of a driver, which may say its cause itself.
    #[derive(Debug)]
    struct Driver(&'static str, Option<Box<Driver>>);

    impl fmt::Display for Driver {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Driver {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let refused = Driver("connection refused", None);
        let io = Driver("no connection: connection refused", Some(Box::new(refused)));
        let error = BackendError::corrupt(Driver("no row", Some(Box::new(io))));
        let said = causes(&error, cause_of(&error));
        assert!(said.ends_with(": no row: no connection: connection refused"), "{said}");
    }
}
