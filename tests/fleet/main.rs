//! What a fleet on PostgreSQL does while something is broken: a revocation takes effect within the lease, and no good key is
//! taken for a bad one.
//!
//! `.ci/postgres cargo test --all-features --test fleet` runs every fault and prints a table; a word behind `--` runs those faults
//! whose names it is in. `figures` in its place prints how soon a revocation takes effect, what an idle node costs, and what an
//! outage does to requests. With `FLEET=long`, both take as long as they need to mean something.
//!
//! It is a program of its own, rather than tests, so that all that is seen goes into one table.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]

mod clients;
mod clock;
mod database;
mod faults;
mod figures;
mod keys;
mod markdown;
mod node;
mod proxy;
#[path = "../support/postgres_server.rs"]
mod server;
mod stopped;
mod verdict;
mod world;

use std::env;
use std::process::ExitCode;

use tokio::runtime::Builder;

/// Tells whether it may take long.
pub(crate) fn is_long() -> bool {
    env::var("FLEET").is_ok_and(|length| length == "long")
}

fn main() -> ExitCode {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(url) = env::var(stopped::DATABASE) {
        runtime.block_on(stopped::answer_until_killed(&url));
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
