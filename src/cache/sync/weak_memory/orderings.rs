//! What stamps and leases ask of the memory model, beyond the order of steps.
//!
//! `RUSTFLAGS="--cfg weak_memory" cargo test --lib --release weak_memory` takes every execution of these scenarios: every
//! schedule, and in each every value that a reading may return. The counters are the cache's own. The store orders
//! nothing: what it answers may be as old as its own memory allows.
//!
//! The code asks for sequential consistency, which is more than it needs: acquire and release are enough, relaxed
//! orderings are not. Not explored are readings of what is written only later (load buffering), which loom does not know.

use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use loom::sync::atomic::AtomicU64;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::INSTEAD;
use crate::cache::dual_instant::DualInstant;
use crate::cache::generation::{Stamp, Stamps};
use crate::cache::lease::Lease;
use crate::cache::sync::Ordering::{self, Acquire, Relaxed, Release};
use crate::clock::{Moment, Timestamp};
use crate::digest::Digest;

const DIGEST: Digest = Digest::from_bytes([7; 32]);

/// Of readings and of changes; `None` leaves those of the code.
type Orderings = Option<(Ordering, Ordering)>;

const AS_WRITTEN: Orderings = None;
const ENOUGH: Orderings = Some((Acquire, Release));

/// Takes every execution of a scenario, and prints how many there were, past the capture of the test harness.
fn explore(orderings: Orderings, scenario: impl Fn() + Send + Sync + 'static) {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&executions);
    INSTEAD.set(orderings);
    loom::model(move || {
        counted.fetch_add(1, Relaxed);
        scenario();
    });
    let executions = executions.load(Relaxed);
    writeln!(io::stdout(), "{executions} executions, all there are: no violation")
        .expect("a place to print to");
}

/// Counters that have been there since before anyone else was.
fn stamps() -> Arc<Stamps> {
    let stamps = Stamps::new();
    stamps.current(&DIGEST);
    Arc::new(stamps)
}

/// A key that changes once, while someone reads it into the cache and someone else makes a request.
fn fill_and_request_during(change: impl FnOnce(&Stamps) + Copy + Send + Sync + 'static) {
    let stamps = stamps();
    let store = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let entry: Arc<Mutex<Option<(Stamp, u64)>>> = Arc::new(Mutex::new(None));

    let changer = thread::spawn({
        let (stamps, store, acknowledged) =
            (Arc::clone(&stamps), Arc::clone(&store), Arc::clone(&acknowledged));
        move || {
            store.store(1, Relaxed);
            change(&stamps);
            acknowledged.store(1, Release);
        }
    });
    let filler = thread::spawn({
        let (stamps, entry) = (Arc::clone(&stamps), Arc::clone(&entry));
        move || {
            let stamp = stamps.current(&DIGEST);
            *entry.lock().unwrap() = Some((stamp, store.load(Relaxed)));
        }
    });

    // Whoever was told of the change goes on from there, and so does the request that they make.
    let acknowledged = acknowledged.load(Acquire);
    let stamp = stamps.current(&DIGEST);
    if let Some((_, seen)) = entry.lock().unwrap().filter(|(of_entry, _)| *of_entry == stamp) {
        assert!(seen >= acknowledged, "decided by what was changed before");
    }
    changer.join().unwrap();
    filler.join().unwrap();
}

fn bump(stamps: &Stamps) {
    stamps.bump(&DIGEST);
}

#[test]
fn no_request_is_decided_by_what_was_changed_before_it_began() {
    for orderings in [AS_WRITTEN, ENOUGH] {
        explore(orderings, || fill_and_request_during(bump));
        explore(orderings, || fill_and_request_during(Stamps::bump_all));
    }
}

#[test]
#[should_panic(expected = "decided by what was changed before")]
fn the_model_notices_stamps_that_are_read_without_order() {
    explore(Some((Relaxed, Release)), || fill_and_request_during(bump));
}

#[test]
#[should_panic(expected = "decided by what was changed before")]
fn the_model_notices_stamps_that_are_bumped_without_order() {
    explore(Some((Acquire, Relaxed)), || fill_and_request_during(bump));
}

/// A moment, by a wall clock that never ends the lease.
fn at(nanos: u64) -> DualInstant {
    DualInstant { monotonic: Moment::from_nanos(nanos), wall: Timestamp::from_unix_millis(1) }
}

/// A poll that brings a change and renews the lease, and a request after the end of the lease before.
fn request_during_a_poll() {
    const LENGTH: Duration = Duration::from_nanos(5);
    let stamps = stamps();
    let lease = Arc::new(Lease::not_yet());
    lease.renew(at(0), LENGTH);
    let of_entry = stamps.current(&DIGEST);
    let poller = thread::spawn({
        let (stamps, lease) = (Arc::clone(&stamps), Arc::clone(&lease));
        move || {
            stamps.bump(&DIGEST);
            lease.renew(at(3), LENGTH);
        }
    });
    if lease.covers(Moment::from_nanos(6), || Timestamp::from_unix_millis(0)) {
        assert!(stamps.current(&DIGEST) != of_entry, "the lease is renewed and the change is not seen");
    }
    poller.join().unwrap();
}

#[test]
fn whoever_sees_the_lease_renewed_sees_what_the_poll_brought() {
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
