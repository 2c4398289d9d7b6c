//! This crate: three sources, a key format, an environment, and otherwise defaults.

use std::time::Duration;

use tower_api_key::backend::Backend;
use tower_api_key::digest::Digester;
use tower_api_key::usage::Usage;
use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, Environment, MemoryStore, Source,
};

use super::TTL;
use crate::keys;

/// Returns the configuration of all measurements.
pub fn builder(backend: impl Backend) -> AuthenticatorBuilder {
    Authenticator::builder(backend)
        .sources([Source::bearer().format(keys::format()), Source::basic(), Source::x_api_key()])
        .environment(Environment::Live)
        .positive_ttl(TTL)
        // Under an emulator, the store is slow.
        .deadline(Duration::from_secs(30))
}

/// Creates a layer that leaves `Cache-Control` and `Vary` to the application, as the stacks by hand do.
pub fn of(builder: AuthenticatorBuilder) -> AuthenticateLayer {
    AuthenticateLayer::new(builder.build().unwrap()).leave_cache_headers()
}

/// Creates a layer whose cache holds this many keys.
pub fn new(backend: impl Backend, capacity: u64) -> AuthenticateLayer {
    of(builder(backend).positive_capacity(capacity))
}

/// Creates a layer that adds `Cache-Control` and `Vary` to responses, the default.
pub fn with_cache_headers(backend: impl Backend, capacity: u64) -> AuthenticateLayer {
    AuthenticateLayer::new(builder(backend).positive_capacity(capacity).build().unwrap())
}

/// Creates a layer with a pepper, for keys that were stored without one.
pub fn under_former(backend: impl Backend, capacity: u64) -> AuthenticateLayer {
    let pepper = Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap();
    let builder = builder(backend).digester(pepper).former_digester(Digester::sha256());
    of(builder.positive_capacity(capacity))
}

/// Creates a layer that also counts usage.
pub fn metered(store: MemoryStore, capacity: u64) -> AuthenticateLayer {
    let usage = Usage::builder(store.clone()).build().unwrap();
    of(builder(store).positive_capacity(capacity).usage(usage))
}
