//! What a test of an application's routes learns of a request, by an extension. Builds without the feature `test-util` note nothing.

// Layer 8 of 10: decision.

#[cfg(feature = "test-util")]
mod enabled {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::Request;

    /// Extension of a request in which layers note what they see.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Probe(Arc<Seen>);

    #[derive(Debug, Default)]
    struct Seen {
        any_key: AtomicBool,
        route: AtomicBool,
        no_route: AtomicBool,
        preflight: AtomicBool,
    }

    impl Probe {
        /// Returns whether a rule admitted the request with any key.
        pub(crate) fn saw_any_key(&self) -> bool {
            self.0.any_key.load(Ordering::Relaxed)
        }

        /// Returns whether a layer knew the route of the request.
        pub(crate) fn saw_route(&self) -> bool {
            self.0.route.load(Ordering::Relaxed)
        }

        /// Returns whether a layer inside a router knew no route of the request.
        pub(crate) fn saw_no_route(&self) -> bool {
            self.0.no_route.load(Ordering::Relaxed)
        }

        /// Returns whether a layer let the request pass as a preflight.
        pub(crate) fn saw_preflight(&self) -> bool {
            self.0.preflight.load(Ordering::Relaxed)
        }
    }

    fn note<B>(request: &Request<B>, fact: impl FnOnce(&Seen) -> &AtomicBool) {
        if let Some(Probe(seen)) = request.extensions().get() {
            fact(seen).store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn note_any_key<B>(request: &Request<B>) {
        note(request, |seen| &seen.any_key);
        note_route(request);
    }

    pub(crate) fn note_preflight<B>(request: &Request<B>) {
        note(request, |seen| &seen.preflight);
    }

    /// Notes whether a router has found a route for the request, if one has seen it.
    pub(crate) fn note_route<B>(request: &Request<B>) {
        if crate::path::template(request.extensions()).is_some() {
            note(request, |seen| &seen.route);
        } else if crate::path::is_routed(request) {
            note(request, |seen| &seen.no_route);
        }
    }
}

#[cfg(not(feature = "test-util"))]
mod disabled {
    use http::Request;

    pub(crate) fn note_any_key<B>(_: &Request<B>) {}

    pub(crate) fn note_preflight<B>(_: &Request<B>) {}

    pub(crate) fn note_route<B>(_: &Request<B>) {}
}

#[cfg(not(feature = "test-util"))]
pub(crate) use disabled::*;
#[cfg(feature = "test-util")]
pub(crate) use enabled::*;
