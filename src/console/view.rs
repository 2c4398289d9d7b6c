//! A key as the pages show it.

// Layer 10 of 10: rim.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::page::Problem;
use super::words::{When, short};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::limit::{Limit, Per, Span};
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
    /// The limits in force, each in words.
    pub(super) limits: Vec<String>,
    pub(super) plan: Option<Box<str>>,
    /// Those of the key itself, by their texts, as a form has them.
    pub(super) own_limits: String,
    pub(super) own_plan: String,
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
            limits: record.all_limits().map(in_words).collect(),
            plan: record.plan_in_force().map(|plan| plan.name().into()),
            own_limits: record.limits.to_string(),
            own_plan: record.plan.as_ref().map(|plan| plan.name().to_owned()).unwrap_or_default(),
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

    /// Returns the name for a list.
    pub(super) fn short_name(&self) -> String {
        short(&self.name)
    }

    /// Returns the owner for a list.
    pub(super) fn short_owner(&self) -> String {
        short(&self.owner)
    }

    /// Returns the hint for a list: that of an imported key may have any length.
    pub(super) fn short_hint(&self) -> String {
        short(&self.hint)
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

/// Describes a limit: `100 requests in 60 seconds`, `50000 requests a month (UTC) with all keys of the owner`.
pub(super) fn in_words(limit: &Limit) -> String {
    let requests = limit.requests();
    let noun = if limit.requests() == 1 { "request" } else { "requests" };
    let span = match limit.span() {
        Span::Window(window) if window.as_secs() == 1 => "a second".to_owned(),
        Span::Window(window) => format!("in {} seconds", window.as_secs()),
        Span::Period(period) => format!("a {} (UTC)", period.label()),
    };
    let shared = match limit.per() {
        Per::Key => "",
        Per::Owner => " with all keys of the owner",
        Per::Organization => " with all keys of the organization and its projects",
    };
    format!("{requests} {noun} {span}{shared}")
}

/// The parameter of paths. An application may nest the console below parameters of its own.
pub(super) const ID: &str = "console_key";

/// The id of a key in a path.
pub(super) struct Id(pub(super) KeyId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = match RawPathParams::from_request_parts(head, state).await {
            Ok(parameters) => parameters,
            // A parameter is not UTF-8: no key has such an id.
            Err(rejection) if rejection.status().is_client_error() => {
                return Err(ManageError::not_found().into());
            }
            Err(rejection) => {
                let text = "The address of the page has no key. This is a fault of the application.";
                return Err(Problem::new(rejection.status(), "The page cannot be shown", text));
            }
        };
        let own = parameters.iter().filter(|(name, _)| *name == ID).last();
        let id = own.and_then(|(_, text)| KeyId::new(text).ok());
        // No key has an invalid id.
        id.map(Self).ok_or_else(|| ManageError::not_found().into())
    }
}
