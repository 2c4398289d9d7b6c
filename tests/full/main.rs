//! The tests that need all features: stores, key management, and cases over real sockets.

#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod authority;
mod conformance;
mod console;
mod interleavings;
mod manage;
mod misuse;
mod openapi;
mod other_layers;
mod rules;
mod store;
