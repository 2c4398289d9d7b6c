//! The cache, by steps in a fixed order. CONTRIBUTING.md lists the other methods by which it is tested.

#[cfg(feature = "test-util")]
mod entries;
mod feed;
mod guards;
mod judge;
