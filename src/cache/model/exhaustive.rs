//! Every schedule of two concurrent parts of the protocol: a fill, a join or a lookup in the cache, and a change.
//!
//! A whole request, or three concurrent parts, have too many schedules for this. They are run with [few preemptions](super::preemptions).

// Layer 6 of 10: cache.

use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;

use super::*;
use crate::cache::loader::Warmth;
use crate::cache::loader::single_flight::{Flight, Join, Leader};

/// Runs a scenario under all its schedules.
fn exhaust(scenario: impl Fn() + Send + Sync + 'static) {
    const MOST: usize = 1_000_000;
    let schedules = run(DfsScheduler::new(Some(MOST), false), scenario);
    assert!(schedules < MOST, "more than {MOST} schedules");
    report(schedules, "exhaustive");
}

impl World {
    /// Joins a flight of the current generation, and returns its leader if it is new.
    fn join(&self) -> (Arc<Flight>, Option<Leader>) {
        let digests = self.digests.as_slice();
        let generation = self.cache.entries.generation(digests);
        let warmth = if self.cache.entries.is_warm(digests) { Warmth::Warm } else { Warmth::Cold };
        let now = self.cache.context.now();
        let (flight, leader) = match self.cache.loader.flights().join(digests[0], generation, warmth, now) {
            Join::Waiter(flight) => (flight, None),
            Join::Leader(flight, leader) => (flight, Some(leader)),
            Join::Full => panic!("the flight is not full"),
        };
        assert_eq!(flight.generation, generation, "joined a read of another generation");
        (flight, leader)
    }

    /// Starts a flight, reads the store and publishes the answer.
    fn fill(&self) {
        let leader = self.join().1.expect("no other flight");
        self.lead(leader);
    }

    fn lead(&self, leader: Leader) {
        block_on(Arc::clone(&self.cache.loader).fill(leader, self.digests.into()));
    }
}

/// Runs a fill whose generation was taken before the change. The change may come at any moment of the rest.
fn fill_during(before: usize, after: usize, change: Invalidation) {
    let world = World::new(before, STILL);
    let leader = world.join().1.expect("no other flight");
    let changer = world.change_meanwhile(after, change);
    world.lead(leader);
    changer.join().expect("a change");
    world.glance();
}

#[test]
fn a_record_that_was_read_before_a_change_does_not_count_after_it() {
    exhaust(|| fill_during(VALID, RENAMED, Invalidation::Changed(DIGEST)));
}

#[test]
fn an_absence_from_before_a_creation_does_not_count_after_it() {
    exhaust(|| fill_during(ABSENT, VALID, Invalidation::Changed(DIGEST)));
}

/// Here the change may also come between the generation and the read. Only a change of everything is short enough for that.
#[test]
fn a_generation_is_never_newer_than_the_record_read_under_it() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let changer = world.change_meanwhile(RENAMED, Invalidation::Everything);
        world.fill();
        changer.join().expect("a change");
        world.glance();
    });
}

#[test]
fn a_record_that_was_read_before_a_key_was_disabled_or_enabled_does_not_count_after_it() {
    for (before, after) in [(VALID, DISABLED), (DISABLED, ENABLED)] {
        exhaust(move || {
            let world = World::new(before, STILL);
            let leader = world.join().1.expect("no other flight");
            let changer = shuttle::thread::spawn({
                let world = world.clone();
                move || world.change_to(after)
            });
            world.lead(leader);
            changer.join().expect("a change");
            world.glance();
        });
    }
}

/// A process that knows of the revocation reads a replica that never receives it.
#[test]
fn a_replica_that_lags_behind_a_revocation_is_never_believed() {
    exhaust(|| {
        let world = World::new(VALID, Weather { lag: Lag::Always, ..STILL });
        world.change(REVOKED, Invalidation::Revoked(DIGEST));
        let leader = world.join().1.expect("no other flight");
        let filler = shuttle::thread::spawn({
            let world = world.clone();
            move || world.lead(leader)
        });
        world.glance();
        filler.join().expect("a fill");
        world.glance();
    });
}

fn glance_during(before: usize, after: usize, change: Invalidation) {
    let world = World::new(before, STILL);
    world.fill();
    let changer = world.change_meanwhile(after, change);
    world.glance();
    changer.join().expect("a change");
    world.glance();
}

#[test]
fn a_glance_during_a_creation_finds_no_absence_from_before_it() {
    exhaust(|| glance_during(ABSENT, VALID, Invalidation::Changed(DIGEST)));
}

#[test]
fn a_glance_during_a_change_of_everything_finds_nothing_older() {
    exhaust(|| glance_during(VALID, RENAMED, Invalidation::Everything));
}

#[test]
fn of_two_concurrent_lookups_one_leads_the_flight_and_the_other_waits() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let other = shuttle::thread::spawn({
            let world = world.clone();
            move || world.join()
        });
        let (flight, leader) = world.join();
        let (same, other_leader) = other.join().expect("a join");
        assert!(Arc::ptr_eq(&flight, &same), "two reads of one key");
        assert!(leader.is_some() != other_leader.is_some());
    });
}

#[test]
fn no_lookup_after_a_change_joins_a_flight_from_before_it() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let (old, _leader) = world.join();
        let changer = world.change_meanwhile(RENAMED, Invalidation::Changed(DIGEST));
        let acknowledged = world.acknowledged.load(Ordering::SeqCst);
        let (flight, _leader) = world.join();
        assert!(acknowledged == VALID || !Arc::ptr_eq(&flight, &old), "joined a read from before the change");
        changer.join().expect("a change");
    });
}

#[test]
fn a_flight_that_completes_late_leaves_the_one_that_replaced_it() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let leader = world.join().1;
        let completing = shuttle::thread::spawn(move || drop(leader));
        world.cache.apply(Invalidation::Changed(DIGEST));
        let (flight, _leader) = world.join();
        completing.join().expect("a completion");
        let (same, _) = world.join();
        assert!(Arc::ptr_eq(&flight, &same), "two reads of one key");
    });
}
