//! Faults of a node.

use crate::child::Process;
use crate::clients::{Observation, pass};
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
    check_has_seen(&seen, &[Answer::Admitted, Answer::Rejected]);
    world.seen.extend(seen);
    world.is_healed();
}

/// Two processes get a new pepper one after the other, and one of them goes back. The other nodes never have it.
pub(super) async fn new_pepper(world: &mut World) {
    let url = world.database.url();
    let mut former = [Process::start(&url), Process::start(&url)].map(Some);
    let mut current = Vec::new();
    pass(LEASE).await;
    world.revoke().await;
    for former in &mut former {
        current.push(Process::start_with_both(&url));
        pass(LEASE).await;
        // Some keys have both digests by now. This node knows one of them.
        world.revoke().await;
        pass(POLLS).await;
        end(world, former.take().unwrap());
    }
    let added = "SELECT count(*) FROM tower_api_key_digest";
    let added: i64 = sqlx::query_scalar(added).fetch_one(&world.database.pool().await).await.unwrap();
    assert!(added > 0, "no key has a further digest");
    let back = Process::start(&url);
    pass(LEASE).await;
    world.revoke().await;
    pass(LEASE + POLLS).await;
    current.into_iter().chain([back]).for_each(|process| end(world, process));
    world.is_healed();
}

fn end(world: &mut World, process: Process) {
    let seen = process.end();
    check_has_seen(&seen, &[Answer::Admitted, Answer::Rejected]);
    world.seen.extend(seen);
}

fn check_has_seen(seen: &[Observation], answers: &[Answer]) {
    for answer in answers {
        let found = seen.iter().filter(|seen| seen.answer == *answer).count();
        assert!(found >= 10, "expected 10 or more times {answer:?}, got {found}");
    }
}
