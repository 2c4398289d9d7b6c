//! Limits a future by a timeout. In a model of the cache (`--cfg shuttle`), a scheduler chooses when it passes.

// Layer 2 of 10: support.
// Above `runtime`; for `cache` and `guarded_call`, which the model explores. Other files use the timeout of Tokio.

#[cfg(shuttle)]
mod explored;
#[cfg(not(shuttle))]
mod real;

#[cfg(shuttle)]
pub(crate) use explored::timeout;
#[cfg(not(shuttle))]
pub(crate) use real::timeout;
