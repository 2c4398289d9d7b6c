//! The services, started as an operator starts them and called over real sockets.

#![allow(clippy::unwrap_used)]

mod grpc;
mod hyper;
mod saas;
mod server;
