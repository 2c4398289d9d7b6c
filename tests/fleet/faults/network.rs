//! Faults of the network between the nodes and the server.

use std::time::Duration;

use tower_api_key::Authenticator;

use crate::clients::{now, pass};
use crate::node::present;
use crate::proxy::Proxy;
use crate::world::{LEASE, POLLS, World};

/// No fault: what the others are compared with.
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

/// Those that there are, for good. New ones are as they should be.
pub(super) async fn lost(world: &mut World) {
    // Sooner or later in what a poll does, from one time to the next.
    again_and_again(world, Proxy::lose, POLLS + POLLS / 7).await;
}

/// Does something to all connections, and revokes a key right after it, five times.
async fn again_and_again(world: &mut World, happen: fn(&Proxy), pause: Duration) {
    for _ in 0..5 {
        world.nodes.iter().for_each(|node| happen(&node.proxy));
        world.revoke().await;
        pass(pause).await;
    }
    world.is_healed();
}

pub(super) async fn silent(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.fall_silent());
    during_a_revocation(world).await;
}

pub(super) async fn silent_at_one(world: &mut World) {
    world.nodes[0].proxy.fall_silent();
    during_a_revocation(world).await;
}

pub(super) async fn slower_than_the_deadline(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.delay(Duration::from_millis(400)));
    during_a_revocation(world).await;
}

/// Lookups of keys that do not exist take as long as the others, and there is no end of them.
pub(super) async fn slow_and_flooded(world: &mut World) {
    world.nodes.iter().for_each(|node| node.proxy.delay(Duration::from_millis(10)));
    let until = now() + 2 * LEASE;
    let strangers = |authenticator: Authenticator, number: usize| async move {
        for other in 0.. {
            if now() >= until {
                return;
            }
            present(&authenticator, 1_000_000 * number + other).await;
            // Where the answer is at hand, nobody else would ever get a turn.
            pass(Duration::from_millis(1)).await;
        }
    };
    for node in &world.nodes {
        for number in 1..=100 {
            tokio::spawn(strangers(node.authenticator.clone(), number));
        }
    }
    world.revoke().await;
    pass(2 * LEASE).await;
    world.heal().await;
}

/// Revokes a key, and ends the fault only when the lease is over by far.
async fn during_a_revocation(world: &mut World) {
    pass(POLLS / 2).await;
    world.revoke().await;
    pass(LEASE + 2 * POLLS).await;
    world.heal().await;
}
