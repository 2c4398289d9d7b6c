//! All synchronisation primitives of the cache, in one place. So the same code runs under a scheduler that explores its interleavings
//! (`--cfg shuttle`), and its counters in a memory model in which a load may be late (`--cfg weak_memory`).
//!
//! The scheduler interrupts at counters, maps, locks, timeouts and spawned tasks. References, the outcomes of flights, permits, and what is
//! made once for an entry are those of the running service there too: the scheduler sees the steps that they order as one.

// Layer 6 of 10: cache.

#[cfg(shuttle)]
mod explored;
#[cfg(not(shuttle))]
mod real;
#[cfg(weak_memory)]
mod weak_memory;

#[cfg(shuttle)]
pub(super) use explored::{Atomic, Bounded, Map, Mutex, MutexGuard, spawn};
#[cfg(not(shuttle))]
pub(super) use real::{Bounded, Map, Mutex, MutexGuard, spawn};

pub(super) use crate::timeout::timeout;

#[cfg(not(any(shuttle, weak_memory)))]
pub(super) use std::sync::atomic::AtomicU64 as Atomic;
#[cfg(weak_memory)]
pub(super) use weak_memory::Atomic;

pub(super) use once_cell::race::OnceBox;
pub(super) use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
pub(super) use std::sync::{Arc, OnceLock, Weak};

#[cfg(shuttle)]
pub(super) use shuttle::future::yield_now;
#[cfg(not(shuttle))]
pub(super) use tokio::task::yield_now;

pub(super) use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Locks a mutex even if it is poisoned: no panic leaves the state of the cache half written.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
