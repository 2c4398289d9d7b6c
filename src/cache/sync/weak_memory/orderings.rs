//! The memory orderings that generations and leases need.
//!
//! `RUSTFLAGS="--cfg weak_memory" cargo test --lib --release weak_memory` runs every execution of these scenarios: every schedule, and in
//! each every value that a load may return. The counters are the cache's own. The store orders nothing: its answer may be as old as its own
//! memory allows.
//!
//! The code uses sequential consistency, which is more than it needs: acquire and release are enough, relaxed orderings are not. Loads of
//! values that are stored only later (load buffering) are not explored, because loom does not support them.

// Layer 6 of 10: cache.

use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use loom::sync::atomic::AtomicU64;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::REPLACEMENT_ORDERINGS;
use crate::cache::dual_instant::DualInstant;
use crate::cache::entries::generation::{Generation, Generations};
use crate::cache::poller::lease::Lease;
use crate::cache::sync::Ordering::{self, Acquire, Relaxed, Release};
use crate::clock::{Moment, Timestamp};
use crate::digest::Digest;

const DIGEST: Digest = Digest::from_bytes([7; 32]);

/// Of loads and of changes; `None` leaves those of the code.
type Orderings = Option<(Ordering, Ordering)>;

const AS_WRITTEN: Orderings = None;
const ENOUGH: Orderings = Some((Acquire, Release));

/// Runs every execution of a scenario, and prints their number past the capture of the test harness.
fn explore(orderings: Orderings, scenario: impl Fn() + Send + Sync + 'static) {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&executions);
    REPLACEMENT_ORDERINGS.set(orderings);
    loom::model(move || {
        counted.fetch_add(1, Relaxed);
        scenario();
    });
    let executions = executions.load(Relaxed);
    writeln!(io::stdout(), "{executions} executions, exhaustive: no violation").expect("stdout is writable");
}

/// Creates counters before any other thread.
fn generations() -> Arc<Generations> {
    let generations = Generations::new();
    generations.current(&DIGEST);
    Arc::new(generations)
}

/// Changes a key once, while one thread reads it into the cache and another makes a request.
fn fill_and_request_during(change: impl FnOnce(&Generations) + Copy + Send + Sync + 'static) {
    let generations = generations();
    let store = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let entry: Arc<Mutex<Option<(Generation, u64)>>> = Arc::new(Mutex::new(None));

    let changer = thread::spawn({
        let (generations, store, acknowledged) =
            (Arc::clone(&generations), Arc::clone(&store), Arc::clone(&acknowledged));
        move || {
            store.store(1, Relaxed);
            change(&generations);
            acknowledged.store(1, Release);
        }
    });
    let filler = thread::spawn({
        let (generations, entry) = (Arc::clone(&generations), Arc::clone(&entry));
        move || {
            let generation = generations.current(&DIGEST);
            *entry.lock().unwrap() = Some((generation, store.load(Relaxed)));
        }
    });

    // A client that received the acknowledgement makes its request after it.
    let acknowledged = acknowledged.load(Acquire);
    let generation = generations.current(&DIGEST);
    if let Some((_, seen)) = entry.lock().unwrap().filter(|(of_entry, _)| *of_entry == generation) {
        assert!(seen >= acknowledged, "decided by a state from before the change");
    }
    changer.join().unwrap();
    filler.join().unwrap();
}

fn bump(generations: &Generations) {
    generations.bump(&DIGEST);
}

#[test]
fn no_request_uses_a_state_older_than_an_acknowledged_change() {
    for orderings in [AS_WRITTEN, ENOUGH] {
        explore(orderings, || fill_and_request_during(bump));
        explore(orderings, || fill_and_request_during(Generations::bump_all));
    }
}

#[test]
#[should_panic(expected = "decided by a state from before the change")]
fn the_model_notices_generations_that_are_read_without_order() {
    explore(Some((Relaxed, Release)), || fill_and_request_during(bump));
}

#[test]
#[should_panic(expected = "decided by a state from before the change")]
fn the_model_notices_generations_that_are_bumped_without_order() {
    explore(Some((Acquire, Relaxed)), || fill_and_request_during(bump));
}

/// Returns a moment, by a wall clock that never ends the lease.
fn at(nanos: u64) -> DualInstant {
    DualInstant { monotonic: Moment::from_nanos(nanos), wall: Timestamp::from_unix_millis(1) }
}

/// Runs a poll that brings a change and renews the lease, and a request after the former lease.
fn request_during_a_poll() {
    const LENGTH: Duration = Duration::from_nanos(5);
    let generations = generations();
    let lease = Arc::new(Lease::not_yet());
    lease.renew(at(0), LENGTH);
    let of_entry = generations.current(&DIGEST);
    let poller = thread::spawn({
        let (generations, lease) = (Arc::clone(&generations), Arc::clone(&lease));
        move || {
            generations.bump(&DIGEST);
            lease.renew(at(3), LENGTH);
        }
    });
    if lease.covers(Moment::from_nanos(6), || Timestamp::from_unix_millis(0)) {
        assert!(generations.current(&DIGEST) != of_entry, "the lease is renewed and the change is not seen");
    }
    poller.join().unwrap();
}

#[test]
fn a_request_that_sees_the_lease_renewed_sees_the_changes_of_the_poll() {
    for orderings in [AS_WRITTEN, ENOUGH] {
        explore(orderings, request_during_a_poll);
    }
}

#[test]
#[should_panic(expected = "the change is not seen")]
fn the_model_notices_a_lease_that_is_read_without_order() {
    explore(Some((Relaxed, Release)), request_during_a_poll);
}

#[test]
#[should_panic(expected = "the change is not seen")]
fn the_model_notices_a_lease_that_is_renewed_without_order() {
    explore(Some((Acquire, Relaxed)), request_during_a_poll);
}
