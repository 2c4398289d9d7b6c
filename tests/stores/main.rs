//! The tests of stores that need all features: the contract of each, and changes by actors that lose their authority.

#![allow(clippy::unwrap_used, missing_docs)]

mod authority;
mod interleavings;
mod store;
