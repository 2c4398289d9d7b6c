//! A store of a million keys: the cost of a lookup beside its bare query, and of a page at several positions of a list.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench stores`; with PostgreSQL as well if `TEST_POSTGRES_URL` names a
//! server, as `.ci/postgres` does for a command. `STORE_KEYS` sets the number of keys, 1,000,000 by default.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

mod lookups;
mod pages;
mod postgres;
mod rows;
mod sqlite;

use tempfile::TempDir;
use tokio::runtime::Builder;
use tower_api_key_benches::markdown;

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let mut lookups = vec![sqlite::measure(&folder.path().join("keys.db")).await];
        lookups.extend(postgres::measure().await);
        let heads = ["store", "bare query, us", "`Backend::find`, us", "of the bare query"];
        markdown::print(heads, 1, &lookups);
    });
}
