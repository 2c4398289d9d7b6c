//! The guarantees of all stores, and of each store.
//!
//! Those of all stores are in `contract`. A further store needs one more module, which opens it and calls `keeps_the_contract!`.

#[macro_use]
mod contract;
mod abandon;
mod caller;
mod memory;
mod postgres;
mod races;
mod samples;
mod sqlite;
mod waiting;
