//! The tests that need all features: key management, pages, and cases over real sockets.

#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod conformance;
mod console;
mod manage;
mod misuse;
mod openapi;
mod other_layers;
#[path = "../stores/store/sqlite/other_user.rs"]
mod other_user;
mod rules;
#[path = "../stores/authority/stores.rs"]
mod stores;
