//! Verifies that no key admits a request that began after its revocation was acknowledged: with operating system threads,
//! a database file and the machine's clock.
//!
//! The model of the cache explores interleavings of its own making. Here the machine makes them, and no component is
//! replaced. A history is the life of one key: requested by several clients at once, created, often disabled and enabled,
//! revoked, requested again. Each
//! start and each acknowledgement draws a number from one counter, so their order is known without a clock.
//!
//! `HISTORY_SECONDS` sets the duration of each configuration. An unoptimised build finds more: a thread spends longer
//! between two steps.

mod life;
mod world;

use std::env;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use life::Tally;
use support::probe::Probe;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::{Authenticator, AuthenticatorBuilder, SqliteStore};
use world::World;

/// Enough for a small machine to preempt a thread between any two steps.
const THREADS: usize = 4;

fn seconds() -> u64 {
    env::var("HISTORY_SECONDS").ok().and_then(|number| number.parse().ok()).unwrap_or(3)
}

/// Runs keys through their lives, with separate threads for the clients and for the managers of the keys.
fn run<F>(seconds: u64, configure: F) -> Arc<Tally>
where
    F: FnOnce(SqliteStore) -> AuthenticatorBuilder,
{
    let managers = Runtime::new().unwrap();
    let crowd = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
    let folder = TempDir::new().unwrap();
    managers.block_on(async {
        let url = format!("sqlite:{}", folder.path().join("keys.db").display());
        let authenticator = configure(SqliteStore::open(&url).await.unwrap()).build().unwrap();
        let store = SqliteStore::open(&url).await.unwrap();
        World::new(authenticator, store, crowd.handle().clone()).run(Duration::from_secs(seconds)).await
    })
}

fn check(name: &str, configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) {
    let tally = run(seconds(), |store| configure(Authenticator::builder(store)));
    // Bypasses the capture of the test harness.
    writeln!(io::stdout(), "{name}: {tally}").expect("a place to print to");
    assert!(tally.admitted.load(SeqCst) > 0);
    assert_eq!((tally.admitted_late.load(SeqCst), tally.unknown_late.load(SeqCst)), (0, 0));
    assert_eq!((tally.admitted_disabled.load(SeqCst), tally.disabled_late.load(SeqCst)), (0, 0));
}

#[test]
fn with_default_limits_no_request_is_admitted_after_the_acknowledgement() {
    check("default limits", |builder| builder);
}

#[test]
fn with_tiny_limits_no_request_is_admitted_after_the_acknowledgement() {
    // A record is valid for a tick less than its time to live.
    let shortly = Duration::from_millis(2);
    let records = SystemClock::new().tick() + shortly;
    check("tiny limits", |builder| {
        builder.positive_ttl(records).negative_ttl(shortly).positive_capacity(8).negative_capacity(8)
    });
}

#[test]
fn the_check_notices_a_store_that_does_not_invalidate() {
    let ttl = Duration::from_millis(20);
    let mut found = [0; 4];
    // On a busy machine, a second may not be enough to see each mistake.
    for _ in 0..20 {
        let tally = run(1, |store| Authenticator::builder(Probe::reading(store)).negative_ttl(ttl));
        let late =
            [&tally.admitted_late, &tally.unknown_late, &tally.admitted_disabled, &tally.disabled_late];
        found.iter_mut().zip(late).for_each(|(found, late)| *found += late.load(SeqCst));
        if found.iter().all(|count| *count > 0) {
            return;
        }
    }
    panic!("late admissions, unknown keys, admissions while disabled, rejections while enabled: {found:?}");
}
