//! Every schedule of two uses of a key, and of one that is rejected, while another task takes them.

// Layer 6 of 10: cache.

use shuttle::scheduler::DfsScheduler;

use super::*;
use crate::cache::entries::generation::Generations;
use crate::cache::{DirtyList, Entry, EntryUses};
use crate::clock::Moment;
use crate::reject::Outcome;

fn entry() -> Arc<Entry> {
    let issuer = Issuer::detached(Box::default());
    let generation = Generations::new().current(&DIGEST);
    Arc::new(Entry::new(generation, Moment::NEVER, record(VALID).expect("a record"), None, Arc::new(issuer)))
}

fn sum(used: Vec<EntryUses>) -> u64 {
    used.iter().map(|used| used.requests).sum()
}

#[test]
fn every_use_is_taken_once() {
    let schedules = run(DfsScheduler::new(None, false), || {
        let (uses, entry) = (Arc::new(DirtyList::default()), entry());
        let users: Vec<_> = (0..2)
            .map(|_| {
                let (uses, entry) = (Arc::clone(&uses), Arc::clone(&entry));
                shuttle::thread::spawn(move || {
                    uses.count(&entry, || NOW);
                })
            })
            .collect();
        let during = sum(uses.take(8));
        users.into_iter().for_each(|user| user.join().expect("a use"));
        assert!(uses.len() <= 1, "an entry is on the list twice");
        assert_eq!(during + sum(uses.take(8)), 2);
        assert_eq!(uses.len(), 0);
    });
    report(schedules, "exhaustive");
}

#[test]
fn every_rejection_is_taken_once_and_never_before_its_use() {
    for (outcome, taken) in [(Outcome::Limited, [1, 1, 0]), (Outcome::Forbidden, [1, 0, 1])] {
        let schedules = run(DfsScheduler::new(None, false), move || {
            let (uses, entry) = (Arc::new(DirtyList::default()), entry());
            let user = {
                let (uses, entry) = (Arc::clone(&uses), Arc::clone(&entry));
                shuttle::thread::spawn(move || {
                    uses.count(&entry, || NOW);
                    uses.count_rejection(&entry, outcome, || NOW);
                })
            };
            let mut sums = [0, 0, 0];
            let mut take = || {
                for used in uses.take(8) {
                    let numbers = [used.requests, used.limited, used.forbidden];
                    assert_ne!(numbers, [0; 3], "nothing was taken");
                    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
                    assert!(sums[1] + sums[2] <= sums[0], "a rejection was taken before its use");
                }
            };
            take();
            user.join().expect("a use");
            take();
            assert_eq!((sums, uses.len()), (taken, 0));
        });
        report(schedules, "exhaustive");
    }
}
