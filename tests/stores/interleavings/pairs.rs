//! Which pairs of a change and a loss are tried where each takes time.
//!
//! `INTERLEAVINGS=long` tries all of them, and `INTERLEAVINGS=short` only enough to notice a guard that is missing altogether.

use std::env;

use crate::interleavings::cast::Who;
use crate::interleavings::changes::{Bounded, Change, Wide};
use crate::interleavings::losses::Loss;

pub(crate) fn is_short() -> bool {
    env::var("INTERLEAVINGS").is_ok_and(|how| how == "short")
}

fn is_long() -> bool {
    env::var("INTERLEAVINGS").is_ok_and(|how| how == "long")
}

/// A change that an actor may not make after the loss.
pub(crate) fn probe(who: Who, loss: Loss) -> Change {
    if loss == Loss::GrantedScopeTaken && who != Who::Person {
        return Change::Within(Bounded::Create);
    }
    Change::For(Wide::PutUser)
}

/// Whether the target of the change may be gone, which is reported instead of the loss.
pub(crate) fn takes_target(change: Change, loss: Loss) -> bool {
    let is_own = matches!(change, Change::Within(change) if change.is_own());
    match loss {
        Loss::OrganizationGivenAway | Loss::PersonGivenAway => true,
        Loss::Purged | Loss::KeyGivenAway => is_own,
        _ => false,
    }
}

const CREATE: Change = Change::Within(Bounded::Create);
const REVOKE: Change = Change::Within(Bounded::RevokeAnother);

/// Whether a pair is tried: each change with the loss of the key and of the membership, each loss with some changes.
pub(crate) fn is_tried(who: Who, change: Change, loss: Loss) -> bool {
    let some_losses = match who {
        Who::Key => [Loss::Revoked, Loss::OrganizationDisabled],
        Who::PersonsKey => [Loss::Revoked, Loss::Removed],
        Who::Person => [Loss::PasswordChanged, Loss::Removed],
    };
    let is_usual = matches!(change, CREATE | REVOKE | Change::For(Wide::Revoke | Wide::PutMembership));
    let is_own = matches!(change, Change::Within(change) if change.is_own());
    if is_short() {
        return (is_usual || is_own) && (some_losses.contains(&loss) || loss == Loss::GrantedScopeTaken);
    }
    is_long() || is_usual || some_losses.contains(&loss)
}

/// The least number of pairs that a run tries, unless it is to be short.
pub(crate) fn least(usually: usize) -> usize {
    if is_short() { usually / 20 } else { usually }
}
