//! Accepts no passwords. Compiled without the feature `password`, with the interface of `enabled`.

// Layer 8 of 10: decision.

use std::sync::Arc;

use crate::cache::{Cache, Entry, Fact, LookupError, LookupKey};
use crate::credential::{Credential, Scheme};
use crate::environment::Environment;
use crate::scope::Scopes;

#[derive(Default)]
pub(in super::super) struct PasswordAuth {}

pub(in super::super) enum PresentedPassword {}

impl PasswordAuth {
    pub(in super::super) fn is_enabled(&self) -> bool {
        false
    }

    pub(in super::super) fn granting(self, _: &Scopes) -> Self {
        self
    }

    pub(in super::super) fn lookup_key_of(&self, entry: &Entry) -> LookupKey {
        entry.digests().into()
    }

    pub(in super::super) fn presented(
        &self,
        _: &Credential<'_>,
        _: &Scheme,
        _: Option<Environment>,
    ) -> Option<PresentedPassword> {
        None
    }

    pub(in super::super) fn peek(
        &self,
        _: &Cache,
        presented: &PresentedPassword,
        _: Option<&Fact>,
    ) -> Option<Fact> {
        match *presented {}
    }

    pub(in super::super) async fn look_up(
        &self,
        _: &Arc<Cache>,
        presented: PresentedPassword,
    ) -> Result<Fact, LookupError> {
        match presented {}
    }
}
