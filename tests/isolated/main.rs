//! The tests that change or read state of their whole process. They share one with each other, and with no other test.

#![allow(clippy::unwrap_used, missing_docs)]

// Its allocator counts, and so would be that of every test.
mod allocations;
// Replaces the panic hook.
#[cfg(feature = "full")]
mod audit;
// Needs every log event to reach the subscriber of its thread.
#[cfg(feature = "full")]
mod log;
// Replaces the panic hook, sets the global subscriber, and searches the memory of the process.
#[cfg(feature = "full")]
mod secrecy;
