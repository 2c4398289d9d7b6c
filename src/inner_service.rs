//! The service inside a middleware, and its future.
//!
//! What imports nothing, for the middlewares of `authenticate`, `require_scope`, `limit_requests`, `count_routes` and `client`.

// Layer 8 of 10: decision.

/// The panic of a response future that is polled again.
pub(crate) const POLLED_AFTER_COMPLETION: &str = "a future must not be polled after it has completed";

/// Implements the accessors of a middleware's field `inner`, by the names of tower-http.
macro_rules! inner_service_accessors {
    ($middleware:ident) => {
        impl<S> $middleware<S> {
            /// Returns the inner service.
            pub fn get_ref(&self) -> &S {
                &self.inner
            }

            /// Returns the inner service, to change it.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.inner
            }

            /// Gives up the middleware and returns the inner service.
            pub fn into_inner(self) -> S {
                self.inner
            }
        }
    };
}
pub(crate) use inner_service_accessors;
