//! Which pairs of a change and a loss are tried where each takes time.
//!
//! `INTERLEAVINGS=long` tries all of them.

use std::env;

use crate::cast::Who;
use crate::changes::{Bounded, Change, Wide};
use crate::losses::Loss;

/// A change that an actor may not make after the loss.
pub(crate) fn probe(who: Who, loss: Loss) -> Change {
    if loss == Loss::GrantedScopeTaken && who != Who::Person {
        return Change::Within(Bounded::Create);
    }
    Change::For(Wide::PutUser)
}

/// Whether a pair is tried in any case: each change with the loss of the key and of the membership, each loss with some changes.
pub(crate) fn is_tried(who: Who, change: Change, loss: Loss) -> bool {
    let some_losses = match who {
        Who::Key => [Loss::Revoked, Loss::OrganizationDisabled],
        Who::PersonsKey => [Loss::Revoked, Loss::Removed],
        Who::Person => [Loss::PasswordChanged, Loss::Removed],
    };
    const CREATE: Change = Change::Within(Bounded::Create);
    const REVOKE: Change = Change::Within(Bounded::RevokeAnother);
    some_losses.contains(&loss)
        || matches!(change, CREATE | REVOKE | Change::For(Wide::Revoke | Wide::PutMembership))
        || env::var("INTERLEAVINGS").is_ok_and(|how| how == "long")
}
