//! The setters of a record.

// Layer 1 of 10: words.

use std::time::Duration;

use super::{Disabling, Record, Revocation, Session};
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::{KeyId, RetrievableKey};
use crate::limit::{Limits, Plan};
use crate::scope::Scopes;
use crate::text::to_map;

impl Record {
    /// Sets the first characters of the text, by which people recognise the key.
    #[must_use]
    pub fn hint(self, text: impl Into<Box<str>>) -> Self {
        Self { hint: text.into(), ..self }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// Sets the sources or schemes by which the key may be presented.
    #[must_use]
    pub fn sources(self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        Self { sources: sources.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the time of creation.
    #[must_use]
    pub fn created_at(self, time: Timestamp) -> Self {
        Self { created_at: Some(time), ..self }
    }

    /// Sets the creator.
    #[must_use]
    pub fn created_by(self, id: impl Into<Box<str>>) -> Self {
        Self { created_by: Some(id.into()), ..self }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(end), ..self }
    }

    /// Sets the revocation, which is final.
    #[must_use]
    pub fn revoked(self, revocation: Revocation) -> Self {
        Self { revoked: Some(revocation), ..self }
    }

    /// Sets the disabling, which can be undone.
    #[must_use]
    pub fn disabled(self, disabling: Disabling) -> Self {
        Self { disabled: Some(disabling), ..self }
    }

    /// Sets the key that this one replaced.
    #[must_use]
    pub fn rotated_from(self, id: KeyId) -> Self {
        Self { rotated_from: Some(id), ..self }
    }

    /// Sets the key that replaces this one.
    #[must_use]
    pub fn rotated_to(self, id: KeyId) -> Self {
        Self { rotated_to: Some(id), ..self }
    }

    /// Sets the time of the last recorded use.
    #[must_use]
    pub fn last_used_at(self, time: Timestamp) -> Self {
        Self { last_used_at: Some(time), ..self }
    }

    /// Sets the time for which the replaced key stays valid after the first use of this key.
    #[must_use]
    pub fn first_use_grace(self, grace: Duration) -> Self {
        Self { first_use_grace: Some(grace), ..self }
    }

    /// Sets the text of the key, which then is no secret.
    #[must_use]
    pub fn retrievable(self, text: RetrievableKey) -> Self {
        Self { retrievable: Some(text), ..self }
    }

    /// Sets the values of the application.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<String>>(
        self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { metadata: to_map(entries), ..self }
    }

    /// Sets the notes of the owner.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(self, entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { labels: to_map(entries), ..self }
    }

    /// Sets the limits of the key itself.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the plan of the key.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan: Some(plan), ..self }
    }

    /// Makes it the record of a session.
    #[must_use]
    pub fn session(self, session: Session) -> Self {
        Self { session: Some(session), ..self }
    }
}
