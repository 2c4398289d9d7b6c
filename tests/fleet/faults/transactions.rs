//! Transactions that do not end as they began.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use crate::clients::{now, pass};
use crate::is_long;
use crate::world::{LEASE, World};

/// As one of another application in the same server, while keys are revoked: for a minute, or some seconds.
pub(super) async fn held_open(world: &mut World) {
    let third = Duration::from_secs(if is_long() { 20 } else { 1 });
    let pool = world.database.pool().await;
    let mut open = pool.begin().await.unwrap();
    // With a number of its own: one that only reads holds nothing up.
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *open).await.unwrap();
    for _ in 0..3 {
        world.revoke().await;
        pass(third).await;
    }
    open.commit().await.unwrap();
    world.is_healed();
}

/// The one that took its number first, and wrote first, commits last.
pub(super) async fn in_the_other_order(world: &mut World) {
    let pool = world.database.pool().await;
    let early = world.next_key();
    let mut open = pool.begin().await.unwrap();
    let asked = now();
    revoke_in(&mut open, early).await;
    let mut later = pool.begin().await.unwrap();
    // Not the next key: that one is revoked already, though nobody can see it yet.
    let late = early + 1;
    revoke_in(&mut later, late).await;
    later.commit().await.unwrap();
    world.was_revoked(late, asked);
    pass(LEASE).await;
    open.commit().await.unwrap();
    world.was_revoked(early, asked);
    world.is_healed();
}

/// Does what a store does when it revokes, without a word to those who listen.
async fn revoke_in(transaction: &mut Transaction<'_, Postgres>, key: usize) {
    let id = crate::keys::id(key);
    for statement in [
        "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere' WHERE id = $1",
        "INSERT INTO tower_api_key_change (digest, kind) SELECT digest, 'revoked' FROM tower_api_key WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id.as_str()).execute(&mut **transaction).await.unwrap();
    }
}
