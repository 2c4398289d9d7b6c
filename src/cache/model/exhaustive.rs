//! Every schedule of what is small enough: two parts of the protocol at a time.

use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;

use super::*;
use crate::cache::flight::{Boarding, Flight, Pilot};

/// Runs a scenario under all its schedules.
fn exhaust(scenario: impl Fn() + Send + Sync + 'static) {
    const MOST: usize = 2_000_000;
    let t = std::time::Instant::now();
    let schedules = run(DfsScheduler::new(Some(MOST), false), scenario);
    assert!(schedules < MOST, "there are more than {MOST} schedules");
    report(schedules, &format!("all {:?}", t.elapsed()));
}

impl World {
    /// Boards a flight under the current stamp.
    fn board(&self) -> (Arc<Flight>, Option<Pilot>) {
        let stamp = self.cache.stamps.current(&DIGEST);
        match self.cache.flights.board(DIGEST, stamp, self.cache.lane_of(&DIGEST)) {
            Boarding::Joined(flight) => (flight, None),
            Boarding::Opened(flight, pilot) => (flight, Some(pilot)),
            Boarding::Full => panic!("there is room for more"),
        }
    }

    /// Opens a flight.
    fn open(&self) -> Pilot {
        self.board().1.expect("nobody has opened it yet")
    }

    /// Reads the store and publishes the answer.
    fn fly(&self, pilot: Pilot) {
        block_on(Arc::clone(&self.cache).fill(pilot));
    }
}

fn fill_during(before: usize, after: usize, change: Change) {
    exhaust(move || {
        let world = World::new(before, STILL);
        let pilot = world.open();
        let changer = world.change_meanwhile(after, change);
        world.fly(pilot);
        changer.join().expect("a change");
        world.glance();
    });
}

#[test]
fn a_fill_during_a_change_leaves_nothing_that_counts() {
    fill_during(VALID, RENAMED, Change::Changed(DIGEST));
}
#[test]
fn a_fill_during_a_creation_leaves_nothing_that_counts() {
    fill_during(ABSENT, VALID, Change::Changed(DIGEST));
}
#[test]
fn a_fill_during_a_revocation_leaves_nothing_that_counts() {
    fill_during(VALID, REVOKED, Change::Revoked(DIGEST));
}
#[test]
fn stamp_and_fill_everything() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let changer = world.change_meanwhile(RENAMED, Change::Everything);
        let p = world.open();
        world.fly(p);
        changer.join().expect("a change");
        world.glance();
    });
}
#[test]
fn request_everything() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let changer = world.change_meanwhile(RENAMED, Change::Everything);
        block_on(world.request());
        changer.join().expect("a change");
        world.glance();
    });
}
#[test]
fn two_boardings_everything() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let changer = world.change_meanwhile(RENAMED, Change::Everything);
        let w = world.clone();
        let other = shuttle::thread::spawn(move || w.board());
        let mine = world.board();
        changer.join().expect("a change");
        let others = other.join().unwrap();
        drop((mine, others));
    });
}
#[test]
fn two_boardings() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let w = world.clone();
        let other = shuttle::thread::spawn(move || w.board());
        let mine = world.board();
        let others = other.join().unwrap();
        assert!(Arc::ptr_eq(&mine.0, &others.0));
        assert!(mine.1.is_some() != others.1.is_some());
    });
}
#[test]
fn board_change() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let (old, _pilot) = world.board();
        let changer = world.change_meanwhile(RENAMED, Change::Changed(DIGEST));
        let acknowledged = world.acknowledged.load(Ordering::SeqCst);
        let (mine, _p) = world.board();
        assert!(acknowledged == VALID || !Arc::ptr_eq(&mine, &old));
        changer.join().expect("a change");
    });
}
#[test]
fn landing() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let pilot = world.open();
        let w = world.clone();
        let lander = shuttle::thread::spawn(move || drop(pilot));
        world.cache.apply(Change::Changed(DIGEST));
        let (mine, _p) = world.board();
        lander.join().unwrap();
        assert!(Arc::ptr_eq(&mine, &w.board().0));
    });
}
#[test]
fn lagging() {
    exhaust(|| {
        let world = World::new(VALID, Weather { lag: Lag::Always, ..STILL });
        world.change(REVOKED, Change::Revoked(DIGEST));
        let pilot = world.open();
        let w = world.clone();
        let filler = shuttle::thread::spawn(move || w.fly(pilot));
        world.glance();
        filler.join().unwrap();
        world.glance();
    });
}
#[test]
fn glance_change() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let pilot = world.open();
        world.fly(pilot);
        let changer = world.change_meanwhile(REVOKED, Change::Revoked(DIGEST));
        world.glance();
        changer.join().unwrap();
        world.glance();
    });
}
#[test]
fn glance_change_abs() {
    exhaust(|| {
        let world = World::new(ABSENT, STILL);
        let pilot = world.open();
        world.fly(pilot);
        let changer = world.change_meanwhile(VALID, Change::Changed(DIGEST));
        world.glance();
        changer.join().unwrap();
        world.glance();
    });
}
#[test]
fn glance_fill_bump() {
    exhaust(|| {
        let world = World::new(VALID, STILL);
        let pilot = world.open();
        let changer = world.change_meanwhile(RENAMED, Change::Everything);
        let w = world.clone();
        let filler = shuttle::thread::spawn(move || w.fly(pilot));
        world.glance();
        filler.join().unwrap();
        changer.join().unwrap();
    });
}
