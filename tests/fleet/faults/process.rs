//! Faults of a node.

use crate::child::Process;
use crate::clients::pass;
use crate::node::Answer;
use crate::world::{LEASE, POLLS, World};

/// Like a machine that swaps or is migrated: the process does not know that time has passed.
pub(super) async fn suspended(world: &mut World) {
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
    for (answer, least) in [(Answer::Admitted, 10), (Answer::Rejected, 10)] {
        let found = seen.iter().filter(|seen| seen.answer == answer).count();
        assert!(found >= least, "expected {least} or more times {answer:?}, got {found}");
    }
    world.seen.extend(seen);
    world.is_healed();
}
