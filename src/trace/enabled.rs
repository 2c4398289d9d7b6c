//! Writes the log as `tracing` events.

// Layer 4 of 10: observation.

use std::error::Error;
use std::time::Duration;

use super::Failure;
use crate::backend::{BackendError, BackendErrorKind};
use crate::credential::Scheme;
use crate::digest::Fingerprint;
use crate::key::KeyId;

/// The target that filters name, whichever module of this crate writes the event.
const TARGET: &str = "tower_api_key";

pub(crate) fn admitted(key_id: &KeyId, scheme: &Scheme) {
    tracing::debug!(target: TARGET, %key_id, %scheme, "request admitted");
}

/// Runs a part of a lookup in a span of its own: the lines of a store's driver do not belong to the request that happens to poll it.
pub(crate) fn in_lookup<T>(work: impl FnOnce() -> T) -> T {
    tracing::info_span!(target: TARGET, parent: None, "key lookup").in_scope(work)
}

pub(crate) fn rejected(
    reason: &'static str,
    resource: Option<&'static str>,
    route: Option<&str>,
    key_id: Option<&KeyId>,
) {
    let key_id = key_id.map(tracing::field::display);
    tracing::info!(target: TARGET, reason, key_id, resource, route, "request rejected");
}

pub(crate) fn failed(operation: &'static str, failure: &Failure<'_>) {
    match failure {
        Failure::Error(error) => {
            let (kind, causes) = (error.kind().label(), causes(error));
            match error.kind() {
                // Repeats until the row is repaired.
                BackendErrorKind::Corrupt => {
                    tracing::error!(target: TARGET, kind, error = causes, "{operation} returned corrupt data");
                }
                _ => tracing::warn!(target: TARGET, kind, error = causes, "{operation} failed"),
            }
        }
        Failure::Panic => tracing::error!(target: TARGET, "{operation} panicked"),
        Failure::Deadline(after) => tracing::warn!(target: TARGET, ?after, "{operation} timed out"),
        #[cfg(feature = "routes")]
        Failure::Other(error) => {
            tracing::warn!(target: TARGET, error = causes(*error), "{operation} failed");
        }
        #[cfg(feature = "password")]
        Failure::Password(error) => tracing::warn!(target: TARGET, %error, "{operation} failed"),
    }
}

pub(crate) fn not_acknowledged(nodes: &[Box<str>]) {
    tracing::warn!(
        target: TARGET,
        ?nodes,
        "nodes have not acknowledged a change in time; an empty list means that the nodes could not be listed"
    );
}

pub(crate) fn missing_layer(needs: &'static str) {
    tracing::error!(
        target: TARGET,
        "{needs} found no caller because the request did not pass an `AuthenticateLayer` (logged once): add `AuthenticateLayer` outside of \
         it, as the last `.layer` of an axum router, after its routes, or as the first of a `ServiceBuilder` or a tonic `Server`"
    );
}

/// Reports that a form of the console was rejected as one of another origin.
#[cfg(feature = "console")]
pub(crate) fn cross_origin_form(error: &(dyn Error + 'static)) {
    tracing::warn!(
        target: TARGET,
        error = causes(error),
        "a form of the console was rejected because it came from another origin (logged once): if it was one of its own pages, let the proxies \
         in front forward `Sec-Fetch-Site`, `Origin` and `Host` unchanged"
    );
}

/// Reports that rules by route were applied where no route is known.
#[cfg(feature = "axum")]
pub(crate) fn rules_without_route(is_routed: bool) {
    if is_routed {
        tracing::warn!(
            target: TARGET,
            "`RouteRules` found no `MatchedPath` because no route of the router matched the request, which is answered 404 (logged once): \
             add the layer by `Router::route_layer`, so that the router's fallback answers, and nest routers by `Router::nest` instead of \
             `nest_service`, so that their routes are known"
        );
    } else {
        tracing::error!(
            target: TARGET,
            "`RouteRules` found no `MatchedPath` because the layer is outside of the router, so every request is forbidden (logged once): \
             add the layer by `Router::route_layer` or `Router::layer`, after the routes, not around the router by a `ServiceBuilder`; \
             without axum, use `PathRules`"
        );
    }
}

/// Reports that rules require a key for `route`, which is the text of a rule, and public paths do not.
pub(crate) fn contradictory_rules(route: &str) {
    tracing::error!(
        target: TARGET,
        route,
        "a path is public for `AuthenticateLayer` while rules require a key for it, so the request is handled as the rules say (logged once, \
         for the first such route): remove the path from `public` or `public_prefix`, or declare it `Access::Public` in the rules"
    );
}

pub(crate) fn rewritten_path() {
    tracing::error!(
        target: TARGET,
        "a layer between a router and the rules has rewritten the path, so no request with a rewritten path is public, and `PathRules` \
         forbid it (logged once): put the layer that rewrites the path around the outermost router, as in `rewrite.layer(app)`"
    );
}

/// Reports that `public`, a prefix or a template of the application, does not let a request for `route` pass a scope layer.
pub(crate) fn public_prefix_around_scopes(public: &str, route: Option<&str>) {
    tracing::error!(
        target: TARGET,
        public,
        route,
        "a `RequireScopeLayer` is inside a public prefix or template, which does not open the routes of that layer, so the request is answered \
         401 (logged once): make the path public by `AuthenticateLayer::public` or declare it `Access::Public` in the rules of \
         `RequireScopeLayer`; if it needs a key, declare it in the rules of `AuthenticateLayer`, or narrow the prefix"
    );
}

pub(crate) fn usage_lost(requests: u64, why: &'static str) {
    tracing::error!(target: TARGET, requests, "usage counts lost: {why}");
}

pub(crate) fn counters_failed(error: &(dyn Error + 'static)) {
    tracing::warn!(
        target: TARGET,
        error = causes(error),
        "counting a request failed: limits are decided without the counter store, which is asked again once a second"
    );
}

/// Reports the failure of one request, with others of the same second.
pub(crate) fn count_failed(error: &(dyn Error + 'static)) {
    tracing::warn!(
        target: TARGET,
        error = causes(error),
        "counting a single request failed: it is decided without the counter store (logged at most once a second)"
    );
}

pub(crate) fn lookup_retries_exhausted(reads: usize) {
    tracing::warn!(target: TARGET, reads, "key lookup failed: the key changed during each read");
}

pub(crate) fn too_many_lookups(lookups: usize) {
    tracing::warn!(target: TARGET, lookups, "requests rejected: too many key lookups in progress (logged at most once a second)");
}

/// Reports digesters of a store that this node lacks.
pub(crate) fn digesters_lacking(lacking: &[Fingerprint]) {
    let digesters = lacking.iter().map(Fingerprint::as_str).collect::<Vec<_>>().join(", ");
    tracing::warn!(
        target: TARGET,
        digesters,
        "keys of the store were made with digesters that this node lacks, and are unknown to it unless they have a digest of another one: add \
         each by `AuthenticatorBuilder::former_digester`"
    );
}

pub(crate) fn settings_contradict_store(message: &'static str) {
    tracing::error!(target: TARGET, "requests with a key are answered 503 (logged once): {message}");
}

/// Reports that this node cannot add a digest to a key.
pub(crate) fn digest_not_added(error: &BackendError) {
    tracing::warn!(
        target: TARGET,
        error = causes(error),
        "cannot add a digest of the current digester to a key, which stays known under a former one (logged once for each cause): let the \
         database user of this node insert digests, or keep the former digester on every node"
    );
}

pub(crate) fn authenticator_dropped() {
    tracing::warn!(target: TARGET, "cannot check a caller again: its authenticator was dropped");
}

pub(crate) fn feed_panicked(pause: Duration, restarts: u64) {
    tracing::error!(target: TARGET, ?pause, restarts, "change feed panicked: it restarts after a pause");
}

pub(crate) fn circuit_opened(pause: Duration) {
    tracing::warn!(target: TARGET, ?pause, "circuit breaker opened: several calls of the key store failed in a row");
}

pub(crate) fn circuit_closed() {
    tracing::info!(target: TARGET, "circuit breaker closed: the key store responds again");
}

/// Returns the text of an error with those of its causes. A cause whose text is already included is not repeated.
fn causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error of a driver, whose text may include its cause.
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
    fn every_cause_is_written_once() {
        let refused = Driver("connection refused", None);
        let io = Driver("no connection: connection refused", Some(Box::new(refused)));
        let error = BackendError::corrupt(Driver("no row", Some(Box::new(io))));
        let text = causes(&error);
        assert!(text.ends_with(": no row: no connection: connection refused"), "{text}");
    }
}
