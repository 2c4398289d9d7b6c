//! Faults of the network between the nodes and the server.

use std::time::Duration;

use tower_api_key::Authenticator;

use crate::clients::{now, pass};
use crate::node::present;
use crate::proxy::Proxy;
use crate::world::{LEASE, POLLS, World};

/// No fault, for comparison.
pub(super) async fn none(world: &mut World) {
    world.revoke().await;
    pass(LEASE).await;
    world.is_healed();
}

pub(super) async fn refused(world: &mut World) {
    for node in &world.nodes {
        node.proxy.refuse().await;
    }
    during_a_revocation(world).await;
}

pub(super) async fn closed(world: &mut World) {
    again_and_again(world, Proxy::close, POLLS + POLLS / 2).await;
}

pub(super) async fn reset(world: &mut World) {
    again_and_again(world, Proxy::reset, POLLS + POLLS / 2).await;
}

/// Existing connections are lost permanently; new ones work.
pub(super) async fn lost(world: &mut World) {
    // The pause is no multiple of the interval, so that each loss hits another step of a poll.
    again_and_again(world, Proxy::lose, POLLS + POLLS / 7).await;
}

/// Breaks all connections and revokes a key right after it, five times.
async fn again_and_again(world: &mut World, inject: fn(&Proxy), pause: Duration) {
    for _ in 0..5 {
        world.nodes.iter().for_each(|node| inject(&node.proxy));
        world.revoke().await;
        pass(pause).await;
    }
    world.is_healed();
}

pub(super) async fn silent(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.silence());
    during_a_revocation(world).await;
}

pub(super) async fn silent_at_one(world: &mut World) {
    world.nodes[0].proxy.silence();
    during_a_revocation(world).await;
}

pub(super) async fn slower_than_the_deadline(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.delay(Duration::from_millis(400)));
    during_a_revocation(world).await;
}

/// Floods the nodes with unknown keys, whose lookups are as slow as any.
pub(super) async fn slow_and_flooded(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.delay(Duration::from_millis(10)));
    let until = now() + 2 * LEASE;
    let flood = |authenticator: Authenticator, number: usize| async move {
        for other in 0.. {
            if now() >= until {
                return;
            }
            present(&authenticator, 1_000_000 * number + other).await;
            // Without a pause, answers from the cache would starve all other tasks.
            pass(Duration::from_millis(1)).await;
        }
    };
    for node in &world.nodes {
        for number in 1..=100 {
            tokio::spawn(flood(node.authenticator.clone(), number));
        }
    }
    world.revoke().await;
    pass(2 * LEASE).await;
    world.heal().await;
}

/// Revokes a key, and ends the fault long after the lease.
async fn during_a_revocation(world: &mut World) {
    pass(POLLS / 2).await;
    world.revoke().await;
    pass(LEASE + 2 * POLLS).await;
    world.heal().await;
}
