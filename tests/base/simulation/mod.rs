//! A fleet of nodes on one store, some with a new pepper, over a network that loses, delays and cuts off messages: a change of a key or of a plan
//! always takes effect within the lease, no valid key is called invalid, and every node recovers once all faults have ended.
//!
//! The history of the store is created first (`history.rs`), as no read changes it and nodes do not communicate. Each node then runs
//! on a runtime of its own, so that its process can be suspended while its clocks run.
//!
//! Each run is drawn from a seed and uses the paused runtime's time, so it can be repeated. `SIMULATION_SEEDS` sets the number of
//! seeds, `SIMULATION_SEED` runs a single one and shows its answers.

mod clock;
mod faults;
mod feed;
mod history;
mod judge;
mod keys;
mod network;
mod node;
mod peppers;
mod plan;
mod requests;
mod run;
mod seeds;
mod settings;
mod store;
mod tally;
mod time;

use std::io::{self, Write};

use feed::Flaw;
use judge::Breach;
use run::Run;
use seeds::number;

/// The default number of seeds, enough to cover every line of the tally.
const SEEDS: u64 = 200;

/// Prints past the capture of the test harness, so that a passing run shows it as well.
fn show(text: &str) {
    writeln!(io::stdout().lock(), "{text}").unwrap();
}

#[test]
fn a_fleet_keeps_its_promises_under_any_faults() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let run = Run::new(seed, Flaw::None);
        run.nodes.iter().flat_map(|node| &node.answers).for_each(|answer| show(&format!("{answer:?}")));
        show(&format!("{:#?}\n{}", run.plan, run.tally));
        assert!(run.breaches.is_empty(), "{run}");
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (tally, broken) = seeds::play(seeds, Flaw::None, |run| !run.breaches.is_empty());
    if let Some(run) = broken {
        panic!("{run}");
    }
    show(&format!("{tally}\n  no rule was broken"));
    if tally.runs >= SEEDS {
        assert_eq!(tally.missing(), Vec::<&str>::new());
        assert!(tally.closest >= 800, "no run comes close to the bound");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    // The pause of the circuit breaker is jittered, so that two nodes do not probe at the same moment.
    let repeatable = |run: &Run| run.plan.settings.pause.is_zero();
    for first in (0..20).map(|seed| Run::new(seed, Flaw::None)).filter(repeatable) {
        let seed = first.plan.seed;
        let second = Run::new(seed, Flaw::None);
        assert!(first.nodes == second.nodes, "seed {seed}");
        assert_eq!(format!("{:?}", first.plan), format!("{:?}", second.plan));
    }
    assert!(Run::new(0, Flaw::None).nodes != Run::new(1, Flaw::None).nodes);
}

#[test]
fn a_feed_that_reads_past_the_highest_number_is_detected() {
    let (_, found) = seeds::play(SEEDS, Flaw::SequenceCursor, |run| run.breaks(Breach::AdmittedRevoked));
    let seed = found.expect("a run in which such a feed loses a revocation").plan.seed;
    show(&format!("seed {seed} finds a revocation that such a feed loses"));
}

#[test]
fn a_change_that_is_announced_by_one_of_two_digests_is_detected() {
    let (_, found) = seeds::play(SEEDS, Flaw::OneDigest, |run| run.breaks(Breach::AdmittedRevoked));
    let seed = found.expect("a run in which a revocation reaches one digest alone").plan.seed;
    show(&format!("seed {seed} finds a revocation that reaches one of two digests"));
}

#[test]
fn a_change_of_a_plan_that_is_not_announced_is_detected() {
    let (_, found) = seeds::play(SEEDS, Flaw::SilentPlan, |run| run.breaks(Breach::OutdatedPlan));
    let seed = found.expect("a run in which a plan stays in force on a node").plan.seed;
    show(&format!("seed {seed} finds a plan that stays in force"));
}
