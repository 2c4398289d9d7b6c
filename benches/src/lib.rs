//! The stacks, keys and requests shared by the benches, which measure the cost of authentication for a request.

#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

pub mod columns;
pub mod counting;
pub mod drive;
pub mod groups;
pub mod keys;
pub mod markdown;
pub mod numbers;
pub mod order;
pub mod requests;
pub mod stacks;
pub mod statistics;

/// The name of the bytes that a cached key takes beyond its record, in place of a group's name.
pub const KEPT: &str = "bytes per cached key";
