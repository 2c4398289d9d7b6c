//! The guarantees of all stores, and of each store.
//!
//! Those of all stores are in `tests/contract`. A further store needs one more module, which opens it and calls the macros of that crate.

mod memory;
mod postgres;
mod races;
pub(crate) mod sqlite;
mod waiting;

pub(crate) use tower_api_key_contract::{caller, samples};
