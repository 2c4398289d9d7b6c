//! Valid keys beside the load of a tenant, other clients or a manager on the same database.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench isolation`; with PostgreSQL as well if `TEST_POSTGRES_URL` names a server, as
//! `.ci/postgres` does for a command. Arguments select the loads that have one of them in their names. `ISOLATION=short` makes the loads a tenth as large and the phases a second long.
//!
//! Each load runs beside 200 requests a second, half of them with cached keys: once on the database of these keys, and once on
//! another one of the same machine. It fails if a valid key was not admitted. The longer durations of admissions are printed but no
//! reason to fail, as they depend mostly on the machine's other load.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

mod clients;
mod loads;
mod postgres;
mod service;
mod sqlite;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;
use tower_api_key::backend::{AuditLog, KeyStore, UsageStore};
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::statistics::median;

use clients::Admitted;
use loads::{Database, Load};
use service::Service;

/// The size of the loads.
#[derive(Clone, Copy)]
struct Size {
    /// The fraction of the full number of rows.
    part: f64,
    phase: Duration,
}

impl Size {
    fn of(self, rows: usize) -> usize {
        (rows as f64 * self.part) as usize
    }
}

fn main() -> ExitCode {
    let size = if env::var("ISOLATION").is_ok_and(|size| size == "short") {
        Size { part: 0.1, phase: Duration::from_secs(1) }
    } else {
        Size { part: 1.0, phase: Duration::from_secs(9) }
    };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut lines, mut rejected) = (Vec::new(), 0);
    runtime.block_on(async {
        let files = [sqlite::open().await, sqlite::open().await];
        rejected += measure("SQLite", files, size, &mut lines).await;
        match postgres::open().await {
            Some(databases) => rejected += measure("PostgreSQL", databases, size, &mut lines).await,
            None => println!("PostgreSQL is skipped: TEST_POSTGRES_URL is not set.\n"),
        }
    });
    let heads = [
        "store",
        "load",
        "requests",
        "not admitted",
        "cached, us",
        "of elsewhere",
        "not cached, us",
        "of elsewhere",
    ];
    markdown::print(heads, 2, &lines);
    if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all loads on the first and on the second database, and returns the number of requests that were not admitted.
async fn measure<S, D>(
    store: &str,
    [here, there]: [(Service<S>, D); 2],
    size: Size,
    lines: &mut Vec<[String; 8]>,
) -> usize
where
    S: KeyStore + UsageStore + AuditLog + Clone,
    D: Database,
{
    let mut rejected = 0;
    // Beside `--bench`, which cargo adds.
    let names: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_named = |load: &Load| names.is_empty() || names.iter().any(|name| load.to_string().contains(name));
    for load in Load::all().filter(|load| load.is_for::<D>() && is_named(load)) {
        let beside = phase(&load, &here.0, &here, size).await;
        let elsewhere = phase(&load, &here.0, &there, size).await;
        rejected += beside.rejected;
        let times = |times: &[f64], others: &[f64]| {
            let (time, other) = (median(times.iter().copied()), median(others.iter().copied()));
            [thousands(time), format!("{:.2}", time / other)]
        };
        let [cached, of_cached] = times(&beside.cached, &elsewhere.cached);
        let [uncached, of_uncached] = times(&beside.uncached, &elsewhere.uncached);
        let requests = (beside.cached.len() + beside.uncached.len() + beside.rejected) as f64;
        lines.push([
            store.to_owned(),
            load.to_string(),
            thousands(requests),
            beside.rejected.to_string(),
            cached,
            of_cached,
            uncached,
            of_uncached,
        ]);
    }
    rejected
}

/// Sends requests with valid keys while a load runs.
async fn phase<S, D>(
    load: &Load,
    good: &Service<S>,
    (loaded, database): &(Service<S>, D),
    size: Size,
) -> Admitted
where
    S: KeyStore + UsageStore + AuditLog + Clone,
    D: Database,
{
    let running = load.start(loaded, database, size).await;
    let admitted = clients::ask(good, size.phase).await;
    running.end().await;
    admitted
}
