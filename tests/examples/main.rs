//! The examples, started as a user starts them and driven over real sockets.
#![allow(clippy::unwrap_used)]
// They are ended by a signal that only Unix has.
#![cfg(unix)]

mod attach;
mod chromium;
mod client;
mod clients;
mod cookie;
mod curl;
mod fleet;
mod foreign;
mod grpc;
mod held;
mod hyper;
mod keys;
mod lines;
mod memfault;
mod memory_api;
mod memory_scope;
mod memsolus;
mod mixed;
mod notes;
mod portal;
mod quickstart;
mod saas;
mod server;
mod slow;
mod suggestions;
mod traced;
