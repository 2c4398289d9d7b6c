//! The cache: what it keeps and must not keep, and what it does with changes.

#[cfg(feature = "test-util")]
mod entries;
mod feed;
mod guards;
mod judge;
