//! On SQLite, a change is stopped at each row that it writes while its actor is about to lose its authority, and vice versa.

use std::io::{self, Write};
use std::sync::Arc;

use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind;

use crate::interleavings::cast::{Cast, Who};
use crate::interleavings::changes::{Change, Outcome};
use crate::interleavings::file::File;
use crate::interleavings::losses::Loss;
use crate::interleavings::memory::ALL;
use crate::interleavings::pairs::{is_tried, least, probe, takes_target};

/// The action of one of the two.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Change(Change),
    Loss(Loss),
}

impl Deed {
    async fn done(self, by: SqliteStore, cast: Arc<Cast>, who: Who) -> Outcome {
        match self {
            Self::Change(change) => change.make(&by, &cast, who).await,
            Self::Loss(loss) => loss.take_place(&by, &cast, who).await,
        }
    }
}

impl File {
    /// Stops the first action at a row, where the second one has to wait for it. Returns `None` if the first one writes no such
    /// row.
    async fn stop(&self, who: Who, first: Deed, second: Deed, row: usize) -> Option<(Outcome, Outcome)> {
        let deed = |deed: Deed, by: &SqliteStore| deed.done(by.clone(), Arc::clone(&self.cast), who);
        self.enter_anew().await;
        let go_on = self.hook.hold(row);
        let mut of_first = tokio::spawn(deed(first, &self.hooked));
        tokio::select! {
            () = self.hook.held() => {}
            done = &mut of_first => {
                self.hook.forget();
                assert_eq!(done.unwrap(), Ok(()), "{who:?} {first:?}: alone");
                return None;
            }
        }
        let held = self.rows().await;
        let turned_away = deed(second, &self.impatient).await;
        // A missing key is noticed before the change begins.
        let is_gone = turned_away == Err(BackendErrorKind::NotFound)
            && matches!((first, second), (Deed::Loss(loss), Deed::Change(change)) if takes_target(change, loss));
        let is_busy = turned_away == Err(BackendErrorKind::Unavailable);
        assert!(is_gone || is_busy, "{who:?} {first:?} {second:?} {row}: {turned_away:?}");
        assert_eq!(self.rows().await, held, "{who:?} {first:?} {second:?} {row}");
        let of_second = tokio::spawn(deed(second, &self.patient));
        drop(go_on);
        Some((of_first.await.unwrap(), of_second.await.unwrap()))
    }

    /// Tries all rows of a change, before the loss.
    async fn try_change_first(&self, who: Who, change: Change, loss: Loss) -> usize {
        let mut row = 0;
        while let Some((made, lost)) = self.stop(who, Deed::Change(change), Deed::Loss(loss), row).await {
            let trace = format!("{who:?} {change:?} {loss:?} {row}: {lost:?}");
            assert_eq!(made, Ok(()), "{trace}");
            assert_ne!(lost, Err(BackendErrorKind::Unavailable), "{trace}");
            let probe = probe(who, loss).make(&self.patient, &self.cast, who).await;
            assert_eq!(probe, Err(BackendErrorKind::Forbidden), "{trace}");
            row += 1;
        }
        row
    }

    /// Tries all rows of a loss, before the change.
    async fn try_loss_first(&self, who: Who, change: Change, loss: Loss) -> usize {
        let name = self.cast.caller(who).key_id().as_str();
        let mut row = 0;
        while let Some((lost, made)) = self.stop(who, Deed::Loss(loss), Deed::Change(change), row).await {
            let trace = format!("{who:?} {change:?} {loss:?} {row}: {made:?}");
            assert_eq!(lost, Ok(()), "{trace}");
            let is_target_gone = takes_target(change, loss)
                && matches!(made, Err(BackendErrorKind::NotFound | BackendErrorKind::Conflict));
            assert!(is_target_gone || made == Err(BackendErrorKind::Forbidden), "{trace}");
            let entries = i64::from(loss == Loss::RotatedByItself) * 2;
            assert_eq!(self.entries_by(name).await, entries, "{trace}");
            // And once more, without concurrent changes of rows.
            let before = self.rows().await;
            assert!(change.make(&self.hooked, &self.cast, who).await.is_err(), "{trace}");
            assert_eq!(self.rows().await, before, "{trace}");
            row += 1;
        }
        row
    }
}

#[tokio::test]
async fn no_change_is_committed_after_the_loss_of_its_actor_on_sqlite() {
    let file = File::open().await;
    let (mut pairs, mut rows, mut rows_of_losses) = (0, 0, 0);
    for who in ALL {
        for change in Change::of(who) {
            // The time at which a key expires comes without a transaction.
            let by_transaction = Loss::of(who, change).filter(|loss| *loss != Loss::Expired);
            for loss in by_transaction.filter(|loss| is_tried(who, change, *loss)) {
                let (of_change, of_loss) = (
                    file.try_change_first(who, change, loss).await,
                    file.try_loss_first(who, change, loss).await,
                );
                assert!(of_change > 0 && of_loss > 0, "{who:?} {change:?} {loss:?}: {of_change} {of_loss}");
                (pairs, rows, rows_of_losses) = (pairs + 1, rows + of_change, rows_of_losses + of_loss);
            }
        }
    }
    let trace = format!(
        "sqlite: {pairs} changes and losses, stopped at {rows} rows and {rows_of_losses} of the loss"
    );
    writeln!(io::stdout(), "{trace}").expect("a place to print to");
    assert!(pairs >= least(280) && rows >= 3 * pairs && rows_of_losses >= 3 * pairs, "{trace}");
}
