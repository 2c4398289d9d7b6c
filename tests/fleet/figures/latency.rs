//! The time until a revocation by one process takes effect in all others.

use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::{Authenticator, PostgresStore};

use crate::clients::{now, pass};
use crate::database::Database;
use crate::markdown::{self, millis};
use crate::node::{Answer, present};
use crate::{is_long, keys};
use support::probe::Probe;

const NODES: usize = 8;

/// The bound for 99 % of the revocations with notifications.
const FAST: Duration = Duration::from_millis(25);

/// Prints the times until all nodes reject a key, with and without notifications, and returns whether they are within the bounds.
pub(super) async fn print() -> bool {
    let revocations = if is_long() { 1_000 } else { 30 };
    let lease = Duration::from_secs(5);
    let mut lines = Vec::new();
    let mut holds = true;
    for (name, is_polling_only) in [("notifications and polls", false), ("polls only", true)] {
        let times = times(is_polling_only, revocations).await;
        let [median, high, most] = [50, 99, 100].map(|percent| times[(times.len() - 1) * percent / 100]);
        lines.push([name.into(), revocations.to_string(), millis(median), millis(high), millis(most)]);
        holds &= most < lease && (is_polling_only || high < FAST);
    }
    println!(
        "From an acknowledged revocation to the last of {NODES} nodes that rejects, in ms; lease 5 s, polls each second.\n"
    );
    markdown::print(["learned by", "revocations", "50 %", "99 %", "100 %"], &lines);
    holds
}

/// Revokes keys one after the other, and returns the times until the last node rejected each, sorted.
async fn times(is_polling_only: bool, revocations: usize) -> Vec<Duration> {
    let database = Database::create().await;
    let outside = PostgresStore::open(&database.url()).await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let pool = PgPoolOptions::new().max_connections(2).connect(&database.url()).await.unwrap();
        let store = PostgresStore::with_pool(pool).await.unwrap();
        let store = if is_polling_only { store.polling_only() } else { store };
        let authenticator = Authenticator::builder(Probe::over(store).deaf()).build().unwrap();
        authenticator.start().await.unwrap();
        nodes.push(authenticator);
    }
    let mut times = Vec::new();
    for key in 0..revocations {
        outside.change(KeyChange::insert(keys::record(key))).await.unwrap();
        for node in &nodes {
            while present(node, key).await != Answer::Admitted {
                pass(Duration::from_millis(1)).await;
            }
        }
        // Spreads the revocations over the interval between two polls.
        pass(Duration::from_millis(if is_polling_only { key as u64 * 379 % 1_000 } else { 20 })).await;
        outside.change(KeyChange::revoke(&keys::id(key), keys::revocation())).await.unwrap();
        let revoked = now();
        let mut rejecting = JoinSet::new();
        for node in nodes.clone() {
            rejecting.spawn(async move { rejected(&node, key).await });
        }
        let last = rejecting.join_all().await.into_iter().max().unwrap();
        times.push(last.saturating_duration_since(revoked));
    }
    times.sort();
    times
}

/// Presents a key until it is rejected, and returns when that was.
async fn rejected(node: &Authenticator, key: usize) -> Instant {
    while present(node, key).await != Answer::Rejected {
        pass(Duration::from_micros(500)).await;
    }
    now()
}
