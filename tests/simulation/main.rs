//! A fleet of nodes on one store, over a network that loses, delays and cuts off: whatever happens, a change takes effect
//! within the lease, no good key is called bad, and when all faults have ended every node is right again.
//!
//! What happens to the store is written down first (`history.rs`), as no read changes it and nodes do not speak to each other. Each
//! node is then played by itself, on a runtime of its own, so that its process can stand still while its clocks go on.
//!
//! Everything is drawn from a seed, and time is that of the paused runtime, so a run can be repeated. `SIMULATION_SEEDS` sets how
//! many seeds are tried, `SIMULATION_SEED` tries one and shows its answers.

#![allow(clippy::unwrap_used, missing_docs)]

mod clock;
mod faults;
mod feed;
mod history;
mod judge;
mod keys;
mod network;
mod node;
mod plan;
mod requests;
mod run;
mod seeds;
mod settings;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod time;

use std::io::{self, Write};

use feed::Cursor;
use judge::Breach;
use run::Run;
use seeds::number;

/// How many seeds are tried where nobody says how many. So many see all there is to see.
const SEEDS: u64 = 200;

/// Past the capture of the test harness, so that a run that passes shows it as well.
fn show(text: &str) {
    writeln!(io::stdout().lock(), "{text}").unwrap();
}

#[test]
fn a_fleet_keeps_its_promises_whatever_goes_wrong() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let run = Run::new(seed, Cursor::Transaction);
        run.nodes.iter().flat_map(|node| &node.answers).for_each(|answer| show(&format!("{answer:?}")));
        show(&format!("{:#?}\n{}", run.plan, run.tally));
        assert!(run.breaches.is_empty(), "{run}");
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (tally, broken) = seeds::play(seeds, Cursor::Transaction, |run| !run.breaches.is_empty());
    if let Some(run) = broken {
        panic!("{run}");
    }
    show(&format!("{tally}\n  no rule was broken"));
    if tally.runs >= SEEDS {
        assert_eq!(tally.missing(), Vec::<&str>::new());
        assert!(tally.closest >= 800, "the bound is not put to the test");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    // How long the store is left alone is up to chance, as two nodes would otherwise try it at the same moment.
    let repeatable = |run: &Run| run.plan.settings.pause.is_zero();
    for first in (0..20).map(|seed| Run::new(seed, Cursor::Transaction)).filter(repeatable) {
        let seed = first.plan.seed;
        let second = Run::new(seed, Cursor::Transaction);
        assert!(first.nodes == second.nodes, "seed {seed}");
        assert_eq!(format!("{:?}", first.plan), format!("{:?}", second.plan));
    }
    assert!(Run::new(0, Cursor::Transaction).nodes != Run::new(1, Cursor::Transaction).nodes);
}

#[test]
fn a_feed_that_reads_behind_the_highest_number_is_found_out() {
    let (_, found) = seeds::play(SEEDS, Cursor::Sequence, |run| run.breaks(Breach::AdmittedRevoked));
    let seed = found.expect("a run in which such a feed loses a revocation").plan.seed;
    show(&format!("a revocation that such a feed loses is found by seed {seed}"));
}
