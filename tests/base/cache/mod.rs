//! The cache, by steps in a fixed order. CONTRIBUTING.md lists the other methods by which it is tested.

mod accepted;
mod digesters;
#[cfg(feature = "test-util")]
mod entries;
mod eviction;
mod feed;
mod guards;
mod judge;
mod node_settings;
