//! Every schedule of two parts of the protocol at a time: a fill, a boarding or a look at the cache, and a change.
//!
//! A whole request has too many schedules for this, and three parts at a time have too many as well. Those are run with
//! [few preemptions](super::preemptions).

use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;

use super::*;
use crate::cache::dual_instant::DualInstant;
use crate::cache::single_flight::{Flight, Join, Leader};

/// Runs a scenario under all its schedules.
fn exhaust(scenario: impl Fn() + Send + Sync + 'static) {
    const MOST: usize = 1_000_000;
    let schedules = run(DfsScheduler::new(Some(MOST), false), scenario);
    assert!(schedules < MOST, "there are more than {MOST} schedules");
    report(schedules, "all there are");
}

impl World {
    /// Boards a flight under the current stamp. Whoever opens it gets its pilot.
    fn join(&self) -> (Arc<Flight>, Option<Leader>) {
        let generation = self.cache.generations.current(&DIGEST);
        let (class, now) = (self.cache.class_of(&DIGEST), DualInstant::exact(&*self.cache.clock));
        let (flight, leader) = match self.cache.flights.join(DIGEST, generation, class, now) {
            Join::Waiter(flight) => (flight, None),
            Join::Leader(flight, leader) => (flight, Some(leader)),
            Join::Full => panic!("there is room for more"),
        };
        assert_eq!(flight.generation, generation, "boarded a read of another generation");
        (flight, leader)
    }

    /// Opens a flight, reads the store and publishes the answer.
    fn fill(&self) {
        let leader = self.join().1.expect("nobody else joins");
        self.fly(leader);
    }

    fn fly(&self, leader: Leader) {
        block_on(Arc::clone(&self.cache).fill(leader, DIGEST.into()));
    }
}

/// A fill whose stamp was taken before the change; the change may come at any moment of the rest.
fn fly_during(before: usize, after: usize, change: Change) {
    let world = World::new(before, STILL);
    let leader = world.join().1.expect("nobody else joins");
    let changer = world.change_meanwhile(after, change);
    world.fly(leader);
    changer.join().expect("a change");
    world.glance();
}

#[test]
fn a_record_that_was_read_before_a_change_does_not_count_after_it() {
    exhaust(|| fly_during(VALID, RENAMED, Change::Changed(DIGEST)));
}

#[test]
fn that_a_key_was_absent_before_its_creation_does_not_count_after_it() {
    exhaust(|| fly_during(ABSENT, VALID, Change::Changed(DIGEST)));
}

/// Here the change may come between the stamp and the read, too. Only a change of everything is short enough for that.
#[test]
fn a_stamp_is_never_newer_than_what_is_read_under_it() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let changer = world.change_meanwhile(RENAMED, Change::Everything);
        world.fill();
        changer.join().expect("a change");
        world.glance();
    });
}

/// A replica that never hears of the revocation is read after it, by someone who knows of it.
#[test]
fn what_a_replica_says_of_a_dead_key_is_believed_at_no_moment_of_a_fill() {
    exhaust(|| {
        let world = World::new(VALID, Weather { lag: Lag::Always, ..STILL });
        world.change(REVOKED, Change::Revoked(DIGEST));
        let leader = world.join().1.expect("nobody else joins");
        let filler = shuttle::thread::spawn({
            let world = world.clone();
            move || world.fly(leader)
        });
        world.glance();
        filler.join().expect("a fill");
        world.glance();
    });
}

fn glance_during(before: usize, after: usize, change: Change) {
    let world = World::new(before, STILL);
    world.fill();
    let changer = world.change_meanwhile(after, change);
    world.glance();
    changer.join().expect("a change");
    world.glance();
}

#[test]
fn a_look_at_the_cache_during_a_creation_finds_no_absence_that_is_over() {
    exhaust(|| glance_during(ABSENT, VALID, Change::Changed(DIGEST)));
}

#[test]
fn a_look_at_the_cache_during_a_change_of_everything_finds_nothing_older() {
    exhaust(|| glance_during(VALID, RENAMED, Change::Everything));
}

#[test]
fn of_two_who_board_at_once_one_opens_the_flight_and_the_other_joins_it() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let other = shuttle::thread::spawn({
            let world = world.clone();
            move || world.join()
        });
        let (flight, leader) = world.join();
        let (same, copilot) = other.join().expect("a boarding");
        assert!(Arc::ptr_eq(&flight, &same), "two reads of one key");
        assert!(leader.is_some() != copilot.is_some());
    });
}

#[test]
fn nobody_who_boards_after_a_change_joins_a_flight_from_before() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let (old, _pilot) = world.join();
        let changer = world.change_meanwhile(RENAMED, Change::Changed(DIGEST));
        let acknowledged = world.acknowledged.load(Ordering::SeqCst);
        let (flight, _pilot) = world.join();
        assert!(acknowledged == VALID || !Arc::ptr_eq(&flight, &old), "joined a read from before the change");
        changer.join().expect("a change");
    });
}

#[test]
fn a_flight_that_lands_late_leaves_the_one_that_took_its_place() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let leader = world.join().1;
        let outcome = shuttle::thread::spawn(move || drop(leader));
        world.cache.apply(Change::Changed(DIGEST));
        let (flight, _pilot) = world.join();
        outcome.join().expect("a outcome");
        let (same, _) = world.join();
        assert!(Arc::ptr_eq(&flight, &same), "two reads of one key");
    });
}
