//! What every store of keys promises, and what each of them promises beyond that.
//!
//! The promises of all stores stand in `contract`. A further store is one more module that opens it and calls
//! `keeps_the_contract!`.

#![allow(clippy::unwrap_used, missing_docs)]

#[macro_use]
mod contract;
mod abandon;
mod caller;
mod memory;
mod postgres;
mod races;
mod samples;
mod sqlite;
mod steps;
mod waiting;
