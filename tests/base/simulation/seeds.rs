//! Runs of many seeds, with a thread for each processor of the machine.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use crate::simulation::feed::Flaw;
use crate::simulation::run::Run;
use crate::simulation::tally::Tally;

/// Returns the number in an environment variable.
pub(crate) fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().and_then(|number| number.parse().ok())
}

/// Runs the seeds below `count`, and returns their tally and the first run that is `wanted`. Once such a run is found, no later seed
/// is tried.
pub(crate) fn play(count: u64, flaw: Flaw, wanted: impl Fn(&Run) -> bool + Sync) -> (Tally, Option<Run>) {
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(count));
    let work = || {
        let (mut tally, mut found) = (Tally::default(), None);
        loop {
            let seed = next.fetch_add(1, SeqCst);
            if seed >= end.load(SeqCst) {
                return (tally, found);
            }
            let run = Run::new(seed, flaw);
            tally.add(&run.tally);
            if wanted(&run) {
                end.fetch_min(seed, SeqCst);
                found = Some(run);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let seen: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut tally = Tally::default();
    seen.iter().for_each(|(seen, _)| tally.add(seen));
    (tally, seen.into_iter().filter_map(|(_, found)| found).min_by_key(|run| run.plan.seed))
}
