//! The cost of a wrong password, for an existing user and for an unknown e-mail.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --features password --bench passwords`; `PASSWORD_ROUNDS` sets the number of attempts
//! of each kind, 200 by default. It fails if the counts of reads or hashes differ. Times are printed but no reason to fail, as they depend
//! mostly on the machine's other load.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tower_api_key::backend::{OwnerChange, OwnerStore};
use tower_api_key::password::Passwords;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{Authenticator, Reason, Source, SqliteStore};
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::statistics::median;

/// The attempts in order, with the behaviour of the store.
const ATTEMPTS: [(&str, Behaviour); 4] = [
    ("first", Behaviour::Behave),
    ("the same again", Behaviour::Behave),
    ("the same in an outage", Behaviour::Fail),
    ("another in an outage", Behaviour::Fail),
];

const TARGETS: [(&str, &str); 3] = [
    ("a user", "ann@example.com"),
    ("a user without a password", "bob@example.com"),
    ("an e-mail that no user has", "missing@example.com"),
];

/// The measurements of attempts of one kind.
#[derive(Default)]
struct Measurements {
    micros: Vec<f64>,
    reads: u64,
    hashes: u64,
    unavailable: u64,
}

fn main() -> ExitCode {
    let rounds = env::var("PASSWORD_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seen = runtime.block_on(measure(rounds));
    let mut lines = Vec::new();
    for (attempt, of_targets) in ATTEMPTS.iter().zip(&seen) {
        for (target, seen) in TARGETS.iter().zip(of_targets) {
            lines.push([
                attempt.0.to_owned(),
                target.0.to_owned(),
                thousands(median(seen.micros.clone())),
                thousands(seen.reads as f64),
                thousands(seen.hashes as f64),
                thousands(seen.unavailable as f64),
            ]);
        }
    }
    markdown::print(["wrong password", "presented for", "median us", "reads", "hashes", "503s"], 2, &lines);
    let counts = |seen: &Measurements| (seen.reads, seen.hashes, seen.unavailable);
    let is_equal =
        |of_targets: &[Measurements; 3]| of_targets.iter().all(|seen| counts(seen) == counts(&of_targets[0]));
    if seen.iter().all(is_equal) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(rounds: usize) -> [[Measurements; 3]; 4] {
    let folder = TempDir::new().unwrap();
    let store =
        SqliteStore::open(&format!("sqlite:{}", folder.path().join("keys.db").display())).await.unwrap();
    let passwords = Passwords::new().unwrap();
    for (_, email) in &TARGETS[..2] {
        store.change_owner(OwnerChange::put_user(email)).await.unwrap();
    }
    let hash = passwords.hash("right").await.unwrap();
    store.change_owner(OwnerChange::set_password(TARGETS[0].1, Some(hash))).await.unwrap();
    let backend = Misbehaving::new(store);
    let authenticator =
        Authenticator::builder(backend.clone()).sources([Source::basic()]).passwords(passwords.clone());
    // Without a circuit breaker, and with a lease longer than the attempts take.
    let authenticator = authenticator.circuit_breaker(1, Duration::ZERO).lease(Duration::from_secs(60));
    let authenticator = authenticator.build().unwrap();
    authenticator.start().await.unwrap();

    let mut seen: [[Measurements; 3]; 4] = Default::default();
    for round in 0..rounds {
        for place in 0..TARGETS.len() {
            // The targets take turns in being first.
            let target = (round + place) % TARGETS.len();
            for (attempt, (name, behaviour)) in ATTEMPTS.iter().enumerate() {
                let secret = if name.starts_with("another") { "other" } else { "guess" };
                let headers = basic(TARGETS[target].1, &format!("{secret} {round} {target}"));
                backend.set(*behaviour);
                let (reads, hashes, began) = (backend.reads(), passwords.hashes(), Instant::now());
                let reason = authenticator.authenticate(&headers).await.unwrap_err().reason().clone();
                let seen = &mut seen[attempt][target];
                seen.micros.push(began.elapsed().as_secs_f64() * 1e6);
                seen.reads += backend.reads() - reads;
                seen.hashes += passwords.hashes() - hashes;
                seen.unavailable += u64::from(reason == Reason::Unavailable);
                backend.set(Behaviour::Behave);
            }
        }
    }
    seen
}

fn basic(user: &str, secret: &str) -> HeaderMap {
    let pair = STANDARD.encode(format!("{user}:{secret}"));
    HeaderMap::from_iter([(http::header::AUTHORIZATION, format!("Basic {pair}").parse().unwrap())])
}
