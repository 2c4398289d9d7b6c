//! Faults of the clocks.

use crate::clients::pass;
use crate::world::{LEASE, POLLS, World};

const HOUR: i64 = 3_600_000;

/// No poll is answered meanwhile, so a lease by the wall clock would last for an hour.
pub(super) async fn back(world: &mut World) {
    for node in &world.nodes {
        node.proxy.silence();
        node.clock.step(-HOUR);
    }
    world.revoke().await;
    pass(LEASE + 2 * POLLS).await;
    world.heal().await;
}

pub(super) async fn ahead(world: &mut World) {
    for _ in 0..3 {
        world.nodes.iter().for_each(|node| node.clock.step(HOUR));
        world.revoke().await;
        pass(LEASE / 2).await;
    }
    world.is_healed();
}
