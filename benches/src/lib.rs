//! What a request pays for its authentication: the stacks, the keys and the requests that the benches share.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

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

/// Names the bytes that a cached key keeps beyond its record, where the other figures have the name of a group.
pub const KEPT: &str = "bytes per cached key";
