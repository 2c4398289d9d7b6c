//! In memory, every schedule of a change and of a loss of its actor's authority.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use tower_api_key::MemoryStore;
use tower_api_key::backend::BackendErrorKind;

use crate::interleavings::cast::{Cast, Who};
use crate::interleavings::changes::{Change, Node, Outcome};
use crate::interleavings::losses::Loss;
use crate::interleavings::pairs::{is_short, least};
use crate::interleavings::schedule::{every_schedule, run, run_both};
use crate::interleavings::steps::{Step, Stepping};

pub(crate) const ALL: [Who; 3] = [Who::Key, Who::PersonsKey, Who::Person];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Actor,
    Loss,
}

impl<P: Copy + Send + Sync + 'static> Node for Stepping<P> {
    async fn outside(&self, effect: impl FnOnce()) {
        self.note(effect).await;
    }
}

/// Violations in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// The change took effect when its actor was not allowed to make it any more.
    Late,
    /// The change was rejected when its actor was allowed to make it, or for another reason.
    Rejected,
    /// A rejected change left something.
    Trace,
}

/// Checks the outcome of a change against the order of effects.
fn judge(outcome: Outcome, loss: Outcome, steps: &[Step<Party>]) -> Option<Violation> {
    let of = |party| steps.iter().position(|step| step.party == party);
    let (made, lost) = (of(Party::Actor), of(Party::Loss));
    let is_late = lost.is_some_and(|lost| made.is_none_or(|made| lost < made));
    if is_late && loss.is_err() {
        return Some(Violation::Rejected);
    }
    match outcome {
        Ok(()) if is_late => Some(Violation::Late),
        Ok(()) => None,
        Err(_) if made.is_some_and(|made| !steps[made].left_all) => Some(Violation::Trace),
        // Some changes end before they reach the store.
        Err(_) if is_late && made.is_none() => None,
        Err(BackendErrorKind::Forbidden) if is_late => None,
        Err(_) => Some(Violation::Rejected),
    }
}

fn new_world(cast: &Cast, strips: bool) -> impl Fn(Party) -> Stepping<Party> {
    let (store, steps) = (MemoryStore::new(), Arc::new(Mutex::new(Vec::new())));
    run(cast.enter(&store));
    move |party| Stepping {
        store: store.clone(),
        steps: Arc::clone(&steps),
        party,
        strips: strips && party == Party::Actor,
        is_watched: party == Party::Actor,
    }
}

/// Tries every schedule of a change and a loss, and returns their number, and the violations.
fn explore(cast: &Cast, who: Who, change: Change, loss: Loss, strips: bool) -> (usize, Vec<Violation>) {
    let mut violations = Vec::new();
    let schedules = every_schedule(|choices| {
        let as_seen_by = new_world(cast, strips);
        let (by_actor, by_loss) = (as_seen_by(Party::Actor), as_seen_by(Party::Loss));
        let (made, lost) =
            run_both(choices, change.make(&by_actor, cast, who), loss.take_place(&by_loss, cast, who));
        let steps = by_actor.steps.lock().unwrap();
        if let Some(violation) = judge(made, lost, &steps) {
            if !strips {
                #[allow(clippy::print_stderr, reason = "for the search for the cause")]
                {
                    eprintln!("{who:?} {change:?} {loss:?}: {violation:?} {made:?} {lost:?} {steps:?}");
                }
            }
            violations.push(violation);
        }
    });
    (schedules, violations)
}

fn explore_all(whos: &[Who], strips: bool) -> (usize, usize, Vec<Violation>) {
    let cast = Runtime::new().unwrap().block_on(Cast::admitted());
    let (mut pairs, mut schedules, mut violations) = (0, 0, Vec::new());
    for &who in whos {
        for change in Change::of(who) {
            for loss in Loss::of(who, change) {
                let (tried, seen) = explore(&cast, who, change, loss, strips);
                pairs += 1;
                schedules += tried;
                violations.extend(seen);
            }
        }
    }
    (pairs, schedules, violations)
}

#[test]
fn in_no_schedule_does_an_actor_make_a_change_that_it_may_not_make_any_more() {
    let whos = if is_short() { &ALL[..1] } else { &ALL };
    let (pairs, schedules, violations) = explore_all(whos, false);
    // Not captured by the test harness.
    writeln!(io::stdout(), "memory: {pairs} changes and losses, {schedules} schedules")
        .expect("a place to print to");
    assert_eq!(violations, []);
    assert!(pairs >= least(1_100) && schedules >= least(88_000), "{pairs} {schedules}");
}

#[test]
fn the_search_finds_changes_that_are_not_authorized() {
    let (pairs, _, violations) = explore_all(&[Who::Person], true);
    let late = violations.iter().filter(|violation| **violation == Violation::Late).count();
    assert!(late >= pairs, "{late} of {pairs}");
}
