//! Every primitive that the cache synchronises through, in one place, so that the same code runs under a scheduler that
//! explores its interleavings (`--cfg shuttle`).

#[cfg(shuttle)]
mod explored;
#[cfg(not(shuttle))]
mod real;

#[cfg(shuttle)]
pub(super) use explored::{Atomic, Bounded, Map, Mutex, MutexGuard, sleep, spawn, timeout};
#[cfg(not(shuttle))]
pub(super) use real::{Atomic, Bounded, Map, Mutex, MutexGuard, sleep, spawn, timeout};

pub(super) use std::sync::atomic::Ordering;
pub(super) use std::sync::{Arc, Weak};

pub(super) use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Locks a mutex, whoever may have panicked while holding it: nothing the cache keeps can be left half written.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
