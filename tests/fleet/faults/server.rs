//! Faults of the server.

use std::time::Duration;

use sqlx::PgPool;

use crate::clients::pass;
use crate::world::{LEASE, POLLS, World};

/// Terminates all connections of the database, including those of the revoking store.
pub(super) async fn terminated(world: &mut World) {
    let pool = world.database.pool().await;
    for _ in 0..5 {
        terminate(&pool).await;
        world.revoke().await;
        pass(POLLS + POLLS / 2).await;
    }
    world.is_healed();
}

async fn terminate(pool: &PgPool) {
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(all).execute(pool).await.unwrap();
}

pub(super) async fn restarted(world: &mut World) {
    world.revoke().await;
    let server = world.server.take().unwrap();
    server.stop().await;
    pass(LEASE + 2 * POLLS).await;
    server.launch().await;
    world.is_healed();
    world.server = Some(server);
    world.revoke().await;
    pass(LEASE + POLLS).await;
}

/// The primary is killed and its synchronous standby, which has all changes, takes over.
pub(super) async fn failed_over(world: &mut World) {
    let primary = world.server.take().unwrap();
    let standby = primary.standby(Duration::ZERO).await;
    for node in &world.nodes {
        node.proxy.refuse().await;
    }
    world.revoke().await;
    standby.catch_up_with(&primary).await;
    primary.stop().await;
    pass(LEASE).await;
    standby.promote().await;
    world.move_to(standby).await;
    world.heal().await;
    world.revoke().await;
    pass(LEASE + POLLS).await;
}
