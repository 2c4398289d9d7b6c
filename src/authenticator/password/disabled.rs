//! The twin that knows no passwords.

use std::convert::Infallible;

use super::super::Authenticator;
use crate::cache::{Fact, LookupError, LookupKey};
use crate::credential::Credential;
use crate::record::Record;
use crate::scope::Scopes;

/// There is no password where none is accepted.
pub(in super::super) enum Presented {}

/// Nothing that could be configured.
pub(in super::super) type Accepted = Option<Infallible>;

pub(in super::super) fn granted(_: &Accepted) -> Scopes {
    Scopes::default()
}

impl Authenticator {
    pub(in super::super) fn lookup_key_of(&self, record: &Record) -> LookupKey {
        record.digest.into()
    }

    pub(in super::super) fn password_in(&self, _: &Credential<'_>) -> Option<Presented> {
        None
    }

    pub(in super::super) fn known_by(&self, presented: &Presented, _: Option<&Fact>) -> Option<Fact> {
        match *presented {}
    }

    pub(in super::super) async fn look_up_account(&self, presented: Presented) -> Result<Fact, LookupError> {
        match presented {}
    }
}
