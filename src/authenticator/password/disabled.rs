//! The twin that knows no passwords.

use std::convert::Infallible;

use super::super::Authenticator;
use crate::cache::{Fact, Unanswered};
use crate::credential::Credential;

/// There is no password where none is accepted.
pub(in super::super) enum Presented {}

/// Nothing that could be configured.
pub(in super::super) type Accepted = Option<Infallible>;

impl Authenticator {
    pub(in super::super) fn password_in(&self, _: &Credential<'_>) -> Option<Presented> {
        None
    }

    pub(in super::super) fn known_by(&self, presented: &Presented) -> Option<Fact> {
        match *presented {}
    }

    pub(in super::super) async fn look_up_account(&self, presented: Presented) -> Result<Fact, Unanswered> {
        match presented {}
    }
}
