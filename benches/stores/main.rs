//! A store of a million keys: the cost of a lookup beside its bare query, of a page at several positions of a list, and of pages of
//! the console, with usage of ten days of each key.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench stores`; with PostgreSQL as well if `TEST_POSTGRES_URL` names a
//! server, as `.ci/postgres` does for a command. `STORE_KEYS` sets the number of keys, 1,000,000 by default; `STORE=sqlite` or
//! `STORE=postgres` measures one store alone.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

mod console;
mod lookups;
mod pages;
mod postgres;
mod rows;
mod sqlite;

use tempfile::TempDir;
use tokio::runtime::Builder;
use tower_api_key_benches::markdown;

/// Returns whether a store is measured: `STORE` names one to measure alone.
fn is_wanted(store: &str) -> bool {
    std::env::var("STORE").map_or(true, |only| only == store)
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        console::measure_rendering().await;
        let folder = TempDir::new().unwrap();
        let mut lookups = Vec::new();
        if is_wanted("sqlite") {
            lookups.push(sqlite::measure(&folder.path().join("keys.db")).await);
        }
        if is_wanted("postgres") {
            lookups.extend(postgres::measure().await);
        }
        let heads = ["store", "bare query, us", "`Backend::find`, us", "of the bare query"];
        markdown::print(heads, 1, &lookups);
    });
}
