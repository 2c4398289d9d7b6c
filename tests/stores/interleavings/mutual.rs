//! Two keys that remove each other's authority. The search is that of one actor and one loss, except that each is the loss of the
//! other.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use tower_api_key::backend::{BackendErrorKind, Grace, KeyUpdate};
use tower_api_key::manage::RotateOptions;
use tower_api_key::{KeyId, MemoryStore, Principal};

use crate::interleavings::cast::{Cast, Who};
use crate::interleavings::changes::{Node, Outcome, kind_of};
use crate::interleavings::schedule::{every_schedule, run, run_both};
use crate::interleavings::steps::Stepping;

/// What one key does to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    Revoke,
    Rotate,
    Disarm,
}

pub(crate) const ATTACKS: [Attack; 3] = [Attack::Revoke, Attack::Rotate, Attack::Disarm];

impl Attack {
    pub(crate) async fn make<S: Node>(
        self,
        store: &S,
        cast: &Cast,
        by: &Principal,
        victim: &KeyId,
    ) -> Outcome {
        let manager = cast.manager(store.clone());
        let delegate = manager.on_behalf_of(by).requiring(crate::interleavings::cast::needs("keys.write"));
        let done = match self {
            Self::Revoke => delegate.revoke(victim, "lost").await,
            Self::Rotate => delegate.rotate(victim, RotateOptions::new(Grace::None)).await.map(drop),
            Self::Disarm => {
                let mut update = KeyUpdate::default();
                update.scopes = Some(crate::interleavings::cast::scopes("notes.read"));
                delegate.update(victim, update).await.map(drop)
            }
        };
        done.map_err(|error| kind_of(&error))
    }
}

#[test]
fn of_two_keys_that_go_for_each_other_the_first_one_wins_in_every_schedule() {
    let cast = Runtime::new().unwrap().block_on(Cast::admitted());
    let (mut schedules, mut won) = (0, [0, 0]);
    for who in [Who::Key, Who::PersonsKey] {
        let house = cast.household(who);
        for (one, other) in ATTACKS.into_iter().flat_map(|one| ATTACKS.map(|other| (one, other))) {
            schedules += every_schedule(|choices| {
                let (store, steps) = (MemoryStore::new(), Arc::new(Mutex::new(Vec::new())));
                run(cast.enter(&store));
                let as_seen_by = |party: usize| Stepping {
                    store: store.clone(),
                    steps: Arc::clone(&steps),
                    party,
                    strips: false,
                    is_watched: true,
                };
                let (by_one, by_other) = (as_seen_by(0), as_seen_by(1));
                let outcomes = run_both(
                    choices,
                    one.make(&by_one, &cast, cast.caller(who), house.peer.id()),
                    other.make(&by_other, &cast, cast.peer(who), house.own.id()),
                );
                let steps = steps.lock().unwrap();
                let first = steps[0].party;
                let (winner, loser) =
                    if first == 0 { (outcomes.0, outcomes.1) } else { (outcomes.1, outcomes.0) };
                assert_eq!(winner, Ok(()), "{one:?} {other:?}");
                assert_eq!(loser, Err(BackendErrorKind::Forbidden), "{one:?} {other:?}");
                assert!(steps[1].left_all, "{one:?} {other:?}");
                won[first] += 1;
            });
        }
    }
    writeln!(io::stdout(), "memory: {schedules} schedules of keys that go for each other")
        .expect("a place to print to");
    assert!(schedules >= 900 && won[0] > 0 && won[1] > 0, "{schedules} {won:?}");
}
