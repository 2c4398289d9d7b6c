//! Faults of a node.

use crate::clients::pass;
use crate::node::Answer;
use crate::stopped::Process;
use crate::world::{LEASE, POLLS, World};

/// As a machine that swaps, or is moved to another one: it does not know that time has passed.
pub(super) async fn stopped(world: &mut World) {
    let process = Process::start(&world.database.url());
    pass(LEASE).await;
    process.signal("STOP");
    world.revoke().await;
    pass(LEASE + 2 * POLLS).await;
    process.signal("CONT");
    pass(LEASE).await;
    world.revoke().await;
    pass(LEASE + POLLS).await;
    let seen = process.end();
    for (answer, least) in [(Answer::Admitted, 10), (Answer::Refused, 10)] {
        let found = seen.iter().filter(|seen| seen.answer == answer).count();
        assert!(found >= least, "expected a node of {least} times {answer:?} or more, found {found}");
    }
    world.seen.extend(seen);
    world.is_healed();
}
