//! Keys, clocks and a store that changes, fails and hangs, in any order: each request is answered as a reference without a
//! cache answers it.
//!
//! `PROPTEST_CASES` sets the number of histories.

mod credentials;
mod reference;
mod steps;
mod world;

use std::env;
use std::io::{self, Write};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Builder;

use steps::{Step, steps};
use world::World;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 2_000;
    }
    // A failing history is printed, and becomes a named test of the cache.
    config.failure_persistence = None;
    config
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    // With a paused clock, a request that waits for a hanging store times out as soon as no other task can run.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new();
        for step in steps {
            world.take(step).await?;
        }
        Ok(())
    })
}

#[test]
fn every_request_is_answered_as_the_reference_says() {
    let config = config();
    let cases = config.cases;
    let outcome = TestRunner::new(config).run(&steps(), play);
    // Bypasses the capture of the test harness, so that a passing run prints it as well.
    writeln!(io::stdout().lock(), "cases: {cases}, violations: {}", u8::from(outcome.is_err())).unwrap();
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
