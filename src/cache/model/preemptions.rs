//! Every schedule of whole requests with few preemptions: moments at which a task that could continue has to wait for another.
//!
//! A whole request and a change have too many schedules to run all of them. But a fault under some schedule nearly always occurs under one
//! with two preemptions, and those are thousands, not billions.

// Layer 6 of 10: cache.

use std::env;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{DfsScheduler, Schedule, Task, TaskId};

use super::*;

/// Runs every schedule with at most `most` preemptions, each once.
#[derive(Debug)]
pub(super) struct FewPreemptions {
    most: usize,
    /// The choices of the current schedule: the index of the choice, and the number of options.
    choices: Vec<(usize, usize)>,
    /// Number of choices that this run has made.
    made: usize,
    preemptions: usize,
    begun: bool,
}

impl FewPreemptions {
    pub(super) fn new(most: usize) -> Self {
        Self { most, choices: Vec::new(), made: 0, preemptions: 0, begun: false }
    }

    fn choose(&mut self, of: usize) -> usize {
        if self.made == self.choices.len() {
            self.choices.push((0, of));
        }
        let (taken, options) = self.choices[self.made];
        assert_eq!(options, of, "the scenario does not depend on its schedule alone");
        self.made += 1;
        taken
    }
}

impl Scheduler for FewPreemptions {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.begun {
            while self.choices.pop_if(|(taken, of)| *taken + 1 == *of).is_some() {}
            self.choices.last_mut()?.0 += 1;
        }
        self.begun = true;
        self.made = 0;
        self.preemptions = 0;
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        let mut options: Vec<TaskId> = runnable.iter().map(|task| task.id()).collect();
        let may_continue = current.and_then(|current| options.iter().position(|id| *id == current));
        let Some(current) = may_continue.filter(|_| !yields) else {
            return Some(options[self.choose(options.len())]);
        };
        options.swap(0, current);
        let allowed = if self.preemptions < self.most { options.len() } else { 1 };
        let taken = self.choose(allowed);
        self.preemptions += usize::from(taken != 0);
        Some(options[taken])
    }

    fn next_u64(&mut self) -> u64 {
        panic!("an exhaustive scenario uses no random numbers")
    }
}

/// Runs a scenario under every schedule with few preemptions: two, three with a single client, or `MODEL_PREEMPTIONS`.
fn explore(
    weather: Weather,
    world: impl Fn() -> World + Clone + Send + Sync + 'static,
    change: impl Fn(&World) + Clone + Send + Sync + 'static,
) {
    let wanted = env::var("MODEL_PREEMPTIONS").ok().and_then(|number| number.parse().ok());
    for clients in [1, 2] {
        let most = wanted.unwrap_or(4 - clients - usize::from(weather.slow));
        let (world, change) = (world.clone(), change.clone());
        let scenario = move || requests_during(&world(), clients, change.clone());
        let which = format!("{clients} clients, all with up to {most} preemptions");
        report(run(FewPreemptions::new(most), scenario), &which);
    }
}

/// Makes concurrent requests of a few clients, while the key changes.
fn requests_during(world: &World, clients: usize, change: impl FnOnce(&World) + Send + 'static) {
    let changer = world.meanwhile(change);
    let others: Vec<_> = (1..clients)
        .map(|_| {
            let world = world.clone();
            spawn(async move { world.request().await })
        })
        .collect();
    block_on(async {
        world.request().await;
        world.glance();
        for other in others {
            other.await.expect("a request");
        }
    });
    changer.join().expect("a change");
    block_on(world.request());
}

#[test]
fn requests_during_a_change_are_decided_by_nothing_older() {
    for weather in [STILL, SLOW] {
        explore(
            weather,
            move || World::new(VALID, weather),
            |world| world.change(RENAMED, Invalidation::Changed(DIGEST)),
        );
    }
}

#[test]
fn requests_while_a_key_is_disabled_or_enabled_are_decided_by_nothing_older() {
    for (before, after) in [(VALID, DISABLED), (DISABLED, ENABLED)] {
        explore(STILL, move || World::new(before, STILL), move |world| world.change_to(after));
    }
}

#[test]
fn requests_during_a_revocation_are_decided_by_nothing_older() {
    for weather in [STILL, SLOW] {
        explore(
            weather,
            move || World::new(VALID, weather),
            |world| world.change(REVOKED, Invalidation::Revoked(DIGEST)),
        );
    }
}

#[test]
fn requests_during_a_revocation_that_a_replica_never_receives_are_decided_by_nothing_older() {
    explore(
        STILL,
        || World::new(VALID, Weather { lag: Lag::Always, ..STILL }),
        |world| world.change(REVOKED, Invalidation::Revoked(DIGEST)),
    );
}

#[test]
fn requests_during_the_creation_of_a_key_are_decided_by_nothing_older() {
    for weather in [STILL, SLOW] {
        explore(
            weather,
            move || World::new(ABSENT, weather),
            |world| world.change(VALID, Invalidation::Changed(DIGEST)),
        );
    }
}

#[test]
fn requests_during_a_change_of_everything_are_decided_by_nothing_older() {
    explore(STILL, || World::new(VALID, STILL), |world| world.change(RENAMED, Invalidation::Everything));
}

#[test]
fn requests_during_a_change_of_a_key_under_either_digest_are_decided_by_nothing_older() {
    for under in [UNDER_CURRENT, UNDER_FORMER] {
        explore(
            STILL,
            move || World::of_two_digests(VALID | under, STILL),
            |world| world.change_each(RENAMED),
        );
    }
}

#[test]
fn requests_while_a_digest_is_added_to_a_key_that_is_revoked_are_decided_by_nothing_older() {
    explore(
        STILL,
        || World::of_two_digests(VALID | UNDER_FORMER, STILL),
        |world| {
            world.add_digest();
            world.change_each(REVOKED);
        },
    );
}

#[test]
fn requests_during_the_creation_of_a_key_under_either_digest_are_decided_by_nothing_older() {
    for under in [UNDER_CURRENT, UNDER_FORMER] {
        explore(
            STILL,
            move || World::of_two_digests(ABSENT | under, STILL),
            |world| world.change_each(VALID),
        );
    }
}

#[test]
fn a_key_whose_former_digest_is_retired_is_never_unknown() {
    for one_by_one in [false, true] {
        explore(
            STILL,
            move || World::of_two_digests(VALID | UNDER_FORMER, Weather { one_by_one, ..STILL }),
            |world| {
                world.add_digest();
                world.retire_former();
            },
        );
    }
}

#[test]
fn requests_while_a_key_changes_that_got_another_digest_elsewhere_are_decided_by_nothing_older() {
    explore(
        STILL,
        || World::of_two_digests(VALID | UNDER_FORMER, STILL),
        |world| {
            world.replace_digest_elsewhere();
            world.change_each(RENAMED);
        },
    );
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn a_change_that_is_announced_by_one_of_two_digests_is_noticed_without_a_preemption() {
    run(FewPreemptions::new(0), || {
        let world = World::with(VALID | UNDER_FORMER | UNDER_CURRENT, Digests::new(DIGEST, []), STILL);
        block_on(world.request());
        world.change(RENAMED, Invalidation::Changed(FORMER));
        world.glance();
    });
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn a_change_that_is_applied_before_it_is_committed_is_noticed_with_two_preemptions() {
    // One before the change is committed, and one before: the request that reads finds the answer without a task.
    run(FewPreemptions::new(2), || {
        let world = World::new(VALID, STILL);
        let changer = shuttle::thread::spawn({
            let world = world.clone();
            move || {
                world.cache.apply(Invalidation::Changed(DIGEST));
                world.commit(RENAMED).for_each(drop);
                world.acknowledged.store(RENAMED, Ordering::SeqCst);
            }
        });
        block_on(world.request());
        changer.join().expect("a change");
        world.glance();
    });
}

#[test]
fn schedules_with_as_many_preemptions_as_fit_are_all_schedules() {
    let scenario = || {
        let counter = Arc::new(AtomicUsize::new(0));
        let adders: Vec<_> = (0..2)
            .map(|_| {
                let counter = Arc::clone(&counter);
                shuttle::thread::spawn(move || counter.fetch_add(1, Ordering::SeqCst))
            })
            .collect();
        adders.into_iter().for_each(|adder| assert!(adder.join().is_ok()));
    };
    assert_eq!(run(FewPreemptions::new(usize::MAX), scenario), run(DfsScheduler::new(None, false), scenario));
}
