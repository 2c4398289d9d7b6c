//! This crate: three sources, a key format, an environment, and everything else as it comes.

use std::time::Duration;

use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, Backend, Environment, MemoryStore, Source, Usage,
};

use super::TTL;
use crate::keys;

/// The configuration that all measurements share.
pub fn builder(backend: impl Backend) -> AuthenticatorBuilder {
    Authenticator::builder(backend)
        .sources([Source::bearer().format(keys::format()), Source::basic(), Source::x_api_key()])
        .environment(Environment::Live)
        .positive_ttl(TTL)
        // Under an emulator the store takes its time.
        .deadline(Duration::from_secs(30))
}

/// A layer that remembers this many keys.
pub fn new(backend: impl Backend, capacity: u64) -> AuthenticateLayer {
    AuthenticateLayer::new(builder(backend).positive_capacity(capacity).build().unwrap())
}

/// A layer that also counts usage.
pub fn metered(store: MemoryStore, capacity: u64) -> AuthenticateLayer {
    let usage = Usage::builder(store.clone()).build().unwrap();
    let builder = builder(store).positive_capacity(capacity).usage(usage);
    AuthenticateLayer::new(builder.build().unwrap())
}
