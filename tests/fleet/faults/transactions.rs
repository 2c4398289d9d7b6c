//! Long transactions, and transactions that commit out of order.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use crate::clients::{now, pass};
use crate::is_long;
use crate::world::{LEASE, World};

/// An unrelated transaction stays open for a minute, or for some seconds, while keys are revoked.
pub(super) async fn held_open(world: &mut World) {
    let third = Duration::from_secs(if is_long() { 20 } else { 1 });
    let pool = world.database.pool().await;
    let mut open = pool.begin().await.unwrap();
    // Assigns a transaction number: a transaction that only reads does not delay the log.
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *open).await.unwrap();
    for _ in 0..3 {
        world.revoke().await;
        pass(third).await;
    }
    open.commit().await.unwrap();
    world.is_healed();
}

/// The transaction with the lower number, which wrote first, commits last.
pub(super) async fn in_the_other_order(world: &mut World) {
    let pool = world.database.pool().await;
    let early = world.next_key();
    let mut open = pool.begin().await.unwrap();
    let asked = now();
    revoke_in(&mut open, early).await;
    let mut later = pool.begin().await.unwrap();
    // Not the next key: its revocation is written, but not visible yet.
    let late = early + 1;
    revoke_in(&mut later, late).await;
    later.commit().await.unwrap();
    world.was_revoked(late, asked);
    pass(LEASE).await;
    open.commit().await.unwrap();
    world.was_revoked(early, asked);
    world.is_healed();
}

/// Writes the rows of a revocation, but sends no notification.
async fn revoke_in(transaction: &mut Transaction<'_, Postgres>, key: usize) {
    let id = crate::keys::id(key);
    for statement in [
        "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere' WHERE id = $1",
        "INSERT INTO tower_api_key_change (digest, kind) SELECT digest, 'revoked' FROM tower_api_key WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id.as_str()).execute(&mut **transaction).await.unwrap();
    }
}
