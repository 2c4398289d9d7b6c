//! Evictions beside fills, lookups and changes.

// Layer 6 of 10: cache.

use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;

use super::preemptions::FewPreemptions;
use super::*;

impl World {
    /// Checks that the cache has one entry, if any, and that it can be evicted.
    fn check_entries(&self) {
        let kept = self.cache.entries.check_positive(&[DIGEST, OTHER]);
        assert!(kept <= 1, "{kept} entries in a cache for one");
        self.evict();
        assert_eq!(self.cache.entries.check_positive(&[OTHER]), 1);
    }

    /// Keeps the key in its current state.
    fn keep(&self) {
        let Cache { entries, context, .. } = &*self.cache;
        let generation = entries.generation(&[DIGEST]);
        let record = record(self.state()).expect("a record");
        entries.keep(record, &[DIGEST], generation, context.clock.monotonic());
    }
}

/// Runs two parts of the cache at once.
fn run_both(scheduler: impl Scheduler + 'static, part: fn(&World), other: fn(&World)) -> usize {
    run(scheduler, move || {
        let world = World::new(VALID, STILL);
        world.keep();
        let meanwhile = world.meanwhile(other);
        part(&world);
        meanwhile.join().expect("a part");
        world.glance();
        world.check_entries();
    })
}

/// Runs two parts of the cache under all schedules.
fn exhaust(part: fn(&World), other: fn(&World)) {
    const MOST: usize = 1_000_000;
    let schedules = run_both(DfsScheduler::new(Some(MOST), false), part, other);
    assert!(schedules < MOST, "more than {MOST} schedules");
    report(schedules, "exhaustive");
}

/// Runs two longer parts of the cache under all schedules with few preemptions.
fn explore(part: fn(&World), other: fn(&World)) {
    report(run_both(FewPreemptions::new(4), part, other), "all with up to 4 preemptions");
}

#[test]
fn two_keys_evict_each_other() {
    explore(World::evict, World::keep);
}

#[test]
fn two_reads_of_a_key_replace_each_other() {
    explore(World::keep, World::keep);
}

#[test]
fn a_key_is_evicted_while_it_is_looked_up() {
    exhaust(World::glance, World::evict);
}

#[test]
fn a_key_is_evicted_while_it_changes() {
    exhaust(|world| world.change(RENAMED, Invalidation::Changed(DIGEST)), World::evict);
}

#[test]
fn a_key_is_read_again_while_it_changes() {
    exhaust(|world| world.change(RENAMED, Invalidation::Changed(DIGEST)), World::keep);
}

/// Requests, a change and evictions at once.
#[test]
fn requests_in_a_cache_that_evicts_are_decided_by_nothing_older() {
    let changes = [
        (RENAMED, Invalidation::Changed(DIGEST)),
        (REVOKED, Invalidation::Revoked(DIGEST)),
        (RENAMED, Invalidation::Everything),
    ];
    for (next, change) in changes {
        let schedules = run(FewPreemptions::new(2), move || {
            let world = World::new(VALID, STILL);
            let changer = world.change_meanwhile(next, change);
            let evictor = world.meanwhile(|world| (0..2).for_each(|_| world.evict()));
            block_on(world.request());
            world.glance();
            changer.join().expect("a change");
            evictor.join().expect("evictions");
            block_on(world.request());
            world.check_entries();
        });
        report(schedules, "all with up to 2 preemptions");
    }
}
