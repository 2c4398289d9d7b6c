//! A fleet on PostgreSQL under faults: a revocation takes effect within the lease, and no valid key is rejected.
//!
//! `.ci/postgres cargo test --all-features --test fleet` runs every fault and prints a table; words behind `--` select the faults
//! whose names contain them. `figures` in place of a word prints the latency of revocations, the load of idle nodes, and the
//! effect of an outage on requests. `FLEET=long` makes both run long enough for meaningful figures.
//!
//! It is a program rather than tests, so that all results go into one table.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints to the terminal")]

mod child;
mod clients;
mod clock;
mod database;
mod faults;
mod figures;
mod keys;
mod markdown;
mod node;
mod proxy;
mod verdict;
mod world;

use std::env;
use std::process::ExitCode;

use tokio::runtime::Builder;

/// Returns whether long runs are enabled.
pub(crate) fn is_long() -> bool {
    env::var("FLEET").is_ok_and(|length| length == "long")
}

fn main() -> ExitCode {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(url) = env::var(child::DATABASE) {
        runtime.block_on(child::answer_until_killed(&url));
    }
    if env::var_os("TEST_POSTGRES_URL").is_none() {
        assert!(env::var_os("CI").is_none(), "TEST_POSTGRES_URL is not set");
        eprintln!("skipped: faults of a fleet (TEST_POSTGRES_URL is not set)");
        return ExitCode::SUCCESS;
    }
    let words: Vec<_> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let holds = if words.first().is_some_and(|word| word == "figures") {
        runtime.block_on(figures::print(&words[1..]))
    } else {
        runtime.block_on(faults::print(&words))
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
