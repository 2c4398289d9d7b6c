//! The tests that need no feature of the crate, and those of single features.

#![allow(clippy::unwrap_used, missing_docs)]

// Its allocator counts for each thread, which costs the other tests nothing that they notice.
mod allocations;
mod any_of;
mod beside;
mod cache;
mod client;
mod counters;
mod dashboard;
mod handlers;
#[cfg(feature = "sqlite")]
mod history;
mod keys;
mod layering;
mod limits;
#[cfg(all(feature = "metrics", feature = "test-util"))]
mod metrics;
mod owner_resolver;
#[cfg(all(feature = "password", feature = "test-util"))]
mod password;
#[cfg(feature = "test-util")]
mod properties;
#[cfg(feature = "axum")]
mod proxies;
mod response_extensions;
#[cfg(all(feature = "axum", feature = "tonic", feature = "test-util"))]
mod rim;
mod service;
mod simulation;
mod sources;
mod standard_traits;
mod usage;
