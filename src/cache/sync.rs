//! Every primitive that the cache synchronises through, in one place, so that the same code can run under a scheduler
//! that explores its interleavings.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Arc, Mutex, MutexGuard, Weak};

pub(super) use moka::sync::{Cache as Bounded, CacheBuilder as BoundedBuilder};
pub(super) use papaya::{HashMap as Map, Operation as Compute};
pub(super) use tokio::sync::{Semaphore, watch};
pub(super) use tokio::task::spawn;
pub(super) use tokio::time::timeout;

/// Locks a mutex, whoever may have panicked while holding it: nothing the cache keeps can be left half written.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
