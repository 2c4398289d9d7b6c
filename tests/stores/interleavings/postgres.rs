//! On PostgreSQL, every statement of a change is held back while its actor loses its authority.

use std::io::{self, Write};
use std::sync::Arc;

use tower_api_key::backend::BackendErrorKind;

use crate::interleavings::cast::Who;
use crate::interleavings::changes::{Change, Outcome};
use crate::interleavings::losses::Loss;
use crate::interleavings::memory::ALL;
use crate::interleavings::pairs::{is_tried, least, probe, takes_target};
use crate::interleavings::proxy::Which;
use crate::interleavings::scene::Scene;
use support::postgres::is_absent;

/// Beyond this, the server ends the stopped connection.
const ATTEMPTS: usize = 5;

/// The observations while a message of a change was held.
struct Seen {
    /// The statement that was held.
    held: String,
    /// Whether the loss waited for the change, and whether it had taken effect when the change continued.
    waited: bool,
    was_lost: bool,
    change: Outcome,
    loss: Outcome,
    /// What was committed when the change continued, and in the end.
    during: Vec<String>,
    after: Vec<String>,
}

impl Scene {
    /// Holds message `number` of a change until the loss has taken place or waits for the change. Returns `None` if the change has
    /// no such message.
    async fn hold(&self, who: Who, change: Change, loss: Loss, number: usize) -> Option<Seen> {
        self.enter_anew().await;
        let start = self.rows().await;
        self.held.proxy.hold(Which::Number(number));
        let (store, cast) = (self.held.store.clone(), Arc::clone(&self.cast));
        let mut changing = tokio::spawn(async move { change.make(&store, &cast, who).await });
        let held = tokio::select! {
            held = self.held.proxy.held() => held,
            made = &mut changing => {
                self.held.proxy.let_go();
                assert_eq!(made.unwrap(), Ok(()), "{who:?} {change:?}: alone");
                return None;
            }
        };
        let (store, cast) = (self.direct.clone(), Arc::clone(&self.cast));
        let losing = tokio::spawn(async move { loss.take_place(&store, &cast, who).await });
        let waited = loop {
            if losing.is_finished() {
                break false;
            }
            if self.is_direct_waiting().await {
                break true;
            }
        };
        let during = self.rows().await;
        self.held.proxy.let_go();
        let (change, loss) = (changing.await.unwrap(), losing.await.unwrap());
        let (was_lost, after) = (during != start, self.rows().await);
        Some(Seen { held, waited, was_lost, change, loss, during, after })
    }

    async fn judge(&self, who: Who, change: Change, loss: Loss, seen: &Seen) {
        let Seen { held, waited, was_lost, .. } = seen;
        let name = self.cast.caller(who).key_id().as_str();
        let trace = format!("{who:?} {change:?} {loss:?} at `{held}`: {:?} {:?}", seen.change, seen.loss);
        if *was_lost {
            // A purge continues after the change.
            assert_eq!(seen.loss, Ok(()), "{trace}");
            let is_target_gone = takes_target(change, loss)
                && matches!(seen.change, Err(BackendErrorKind::NotFound | BackendErrorKind::Conflict));
            assert!(is_target_gone || seen.change == Err(BackendErrorKind::Forbidden), "{trace}");
            assert!(*waited || seen.after == seen.during, "{trace}: {:?} {:?}", seen.during, seen.after);
            let entries = i64::from(loss == Loss::RotatedByItself) * 2;
            assert_eq!(self.entries_by(name).await, entries, "{trace}");
        } else {
            assert!(*waited, "{trace}");
            assert_eq!(seen.change, Ok(()), "{trace}");
            assert_ne!(seen.loss, Err(BackendErrorKind::Unavailable), "{trace}");
            let probe = probe(who, loss).make(&self.direct, &self.cast, who).await;
            assert_eq!(probe, Err(BackendErrorKind::Forbidden), "{trace}");
        }
        // Statements before the locks of a change block no other change.
        let is_before = ["BEGIN", "pg_advisory_xact_lock"].iter().any(|start| held.contains(start));
        assert!(!(*waited && is_before && loss == Loss::Revoked), "{trace}: the revocation of a key waits");
    }

    /// Tries all messages of a change, and returns their number.
    async fn try_all(&self, who: Who, change: Change, loss: Loss) -> (usize, usize) {
        let (mut number, mut waited) = (0, 0);
        loop {
            let Some(seen) = self.hold_shortly(who, change, loss, number).await else {
                assert!(number > 2 && waited > 0, "{who:?} {change:?} {loss:?}: {number} {waited}");
                return (number, waited);
            };
            self.judge(who, change, loss, &seen).await;
            waited += usize::from(seen.waited && !seen.was_lost);
            number += 1;
        }
    }

    /// Holds a message for less than the second after which the server ends the transaction: on a busy machine, not at the first
    /// attempt.
    async fn hold_shortly(&self, who: Who, change: Change, loss: Loss, number: usize) -> Option<Seen> {
        for _ in 0..ATTEMPTS {
            let seen = self.hold(who, change, loss, number).await?;
            if seen.change != Err(BackendErrorKind::Unavailable) {
                return Some(seen);
            }
        }
        panic!("{who:?} {change:?} {loss:?}: no answer to message {number}");
    }
}

async fn check(who: Who) {
    if is_absent() {
        return;
    }
    let scene = Scene::open_hurried().await;
    let (mut pairs, mut messages, mut waits) = (0, 0, 0);
    for change in Change::of(who) {
        // The time at which a key expires comes without a transaction.
        let by_transaction = Loss::of(who, change).filter(|loss| *loss != Loss::Expired);
        for loss in by_transaction.filter(|loss| is_tried(who, change, *loss)) {
            // The driver has prepared all statements then, and sends one message for each.
            if pairs == 0 || loss == Loss::Revoked {
                scene.enter_anew().await;
                change.make(&scene.held.store, &scene.cast, who).await.unwrap();
            }
            let (tried, waited) = scene.try_all(who, change, loss).await;
            (pairs, messages, waits) = (pairs + 1, messages + tried, waits + waited);
        }
    }
    writeln!(
        io::stdout(),
        "postgres, {who:?}: {pairs} changes and losses, {messages} messages held, {waits} losses waited"
    )
    .expect("a place to print to");
    assert!(pairs >= least(80) && messages >= 10 * pairs, "{pairs} {messages}");
}

#[tokio::test]
async fn no_change_by_a_key_is_committed_after_its_loss_on_postgres() {
    check(ALL[0]).await;
}

#[tokio::test]
async fn no_change_by_a_persons_key_is_committed_after_its_loss_on_postgres() {
    check(ALL[1]).await;
}

#[tokio::test]
async fn no_change_by_a_person_is_committed_after_the_persons_loss_on_postgres() {
    check(ALL[2]).await;
}
