//! Every schedule of two uses of a key while another task takes them.

// Layer 6 of 10: cache.

use shuttle::scheduler::DfsScheduler;

use super::*;
use crate::cache::entries::generation::Generations;
use crate::cache::{DirtyList, Entry, EntryUses};
use crate::clock::Moment;

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
