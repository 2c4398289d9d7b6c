//! A key as the pages show it.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::page::Problem;
use super::words::When;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::manage::ManageError;
use crate::record::{KeyState, Record};
use crate::scope::Scope;

pub(super) struct View {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) owner: String,
    pub(super) environment: &'static str,
    pub(super) state: &'static str,
    pub(super) scopes: Vec<String>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) created: Option<When>,
    pub(super) created_by: Option<Box<str>>,
    pub(super) expires: Option<When>,
    pub(super) last_used: Option<When>,
    pub(super) disabled: Option<Box<str>>,
    /// Whether only an operator may enable it.
    pub(super) is_locked: bool,
    pub(super) revoked: Option<(When, Box<str>)>,
    pub(super) rotated_from: Option<KeyId>,
    pub(super) rotated_to: Option<KeyId>,
}

impl View {
    pub(super) fn new(record: &Record, now: Timestamp) -> Self {
        let disabled = record.disabled.as_ref();
        Self {
            id: record.id.to_string(),
            name: record.name.to_string(),
            hint: record.hint.to_string(),
            owner: record.owner.to_string(),
            environment: record.environment.label(),
            state: record.state(now).label(),
            scopes: record.scopes.iter().map(Scope::to_string).collect(),
            labels: record.labels.clone().into_iter().collect(),
            created: When::of(record.created_at, now),
            created_by: record.created_by.clone(),
            expires: When::of(record.expires_at, now),
            last_used: When::of(record.last_used_at, now),
            disabled: disabled.map(|disabled| disabled.reason.clone()),
            is_locked: disabled.is_some_and(|disabled| disabled.locked),
            revoked: record.revoked.as_ref().map(|by| (When::new(by.at, now), by.reason.clone())),
            rotated_from: record.rotated_from.clone(),
            rotated_to: record.rotated_to.clone(),
        }
    }

    /// Returns what a person types to confirm that this key is meant.
    pub(super) fn confirmation(&self) -> &str {
        if self.hint.is_empty() { &self.id } else { self.hint.trim_end_matches('.') }
    }

    pub(super) fn is(&self, state: KeyState) -> bool {
        self.state == state.label()
    }

    pub(super) fn is_active(&self) -> bool {
        self.is(KeyState::Active)
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.is(KeyState::Disabled)
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.is(KeyState::Revoked)
    }
}

pub(super) type Id = Result<Path<String>, PathRejection>;

/// Reads a key id in a path. No key has an invalid id.
pub(super) fn key_id(id: Id) -> Result<KeyId, Problem> {
    let id = id.ok().and_then(|Path(text)| KeyId::new(&text).ok());
    id.ok_or_else(|| ManageError::not_found().into())
}
