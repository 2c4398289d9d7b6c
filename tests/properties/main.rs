//! Keys, clocks and a store that changes, fails and hangs, in any order: each request is answered as a reference of a few
//! lines says, which knows no cache.
//!
//! `PROPTEST_CASES` sets how many histories are tried.

#![allow(clippy::unwrap_used, missing_docs)]

mod credentials;
mod reference;
mod steps;
#[path = "../support/mod.rs"]
mod support;
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
    // What fails is printed, and then belongs among the tests of the cache, with a name.
    config.failure_persistence = None;
    config
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    // On a paused clock, whoever waits for a store that hangs has waited long enough as soon as nothing else happens.
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
    // Past the capture of the test harness, so that a run that passes shows it as well.
    writeln!(io::stdout().lock(), "cases: {cases}, violations: {}", u8::from(outcome.is_err())).unwrap();
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
