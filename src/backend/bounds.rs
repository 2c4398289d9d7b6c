//! What a delegate may do to keys: rules that are checked with the actor in the transaction of the change.

// Layer 3 of 10: storage.

use std::borrow::Cow;

use super::caller::Caller;
use super::expiry::is_later;
use super::{AuthorizedActor, BackendError, KeyFilter, KeyUpdate, ManagerRule, Rotation};
use crate::clock::Timestamp;
use crate::limit::Plan;
use crate::quote::shorten;
use crate::record::Record;
use crate::scope::{Scope, Scopes};

/// The keys that a caller may access, and what it may do to them.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Accessible keys. The caller gets "not found" for all others.
    pub(crate) keys: KeyFilter,
    /// Whether the caller may also change and revoke keys with scopes that it lacks.
    pub(crate) stronger_keys: bool,
    /// The rule by which an owner keeps a key that can manage its keys, unless the caller may end it.
    pub(crate) managers: Option<ManagerRule>,
    /// The caller, if it has no key in the store, which therefore cannot authorize it.
    pub(crate) external_caller: Option<Caller>,
}

impl Bounds {
    /// Returns the caller: the actor as the store has authorized it, or the external one.
    pub(super) fn caller(&self, authorized: Option<&AuthorizedActor>) -> Option<Cow<'_, Caller>> {
        match (authorized, &self.external_caller) {
            (Some(authorized), _) => Some(Cow::Owned(authorized.clone().into())),
            (None, external) => external.as_ref().map(Cow::Borrowed),
        }
    }

    /// Sets the defaults of a new key: the expiry and the sources that the caller's keys are limited to, and their limits and plan.
    pub(super) fn inherit(caller: &Caller, child: &mut Record) {
        if child.expires_at.is_none() {
            child.expires_at = caller.keys_end_by;
        }
        if child.sources.is_empty() {
            child.sources = caller.sources.clone();
        }
        // A caller that is limited would get more by another key otherwise.
        if child.limits.is_empty() {
            child.limits = caller.limits.clone();
        }
        if child.plan.is_none() {
            child.plan = caller.plan.clone();
        }
    }

    /// Limits the successors that a rotated caller makes, as its rotation would otherwise renew a key that is about to end, and those of a
    /// caller without a key.
    pub(super) fn limit_rotation(caller: &Caller, rotation: &mut Rotation) {
        if limits_successors(caller) {
            rotation.limit = caller.keys_end_by;
        }
    }

    pub(super) fn check_create(&self, caller: &Caller, child: &Record) -> Result<(), BackendError> {
        if !self.keys.matches_owner(&child.owner, child.environment) {
            return Err(BackendError::forbidden(
                Some("owner"),
                "the owner and environment must be those of the caller",
            ));
        }
        check_grants(caller, &child.scopes)?;
        if caller.own_key.as_ref().is_none_or(|own| own.sources != caller.sources) {
            // For a caller with the sources of its key, the application may name other ones.
            check_sources(caller, child)?;
        }
        if child.limits != caller.limits {
            return Err(service_sets("limits"));
        }
        if child.plan.as_ref().map(Plan::name) != caller.plan.as_ref().map(Plan::name) {
            return Err(service_sets("plan"));
        }
        check_expiry_limit(caller, child.expires_at)
    }

    pub(super) fn check_update(
        &self,
        caller: &Caller,
        target: &Record,
        update: &KeyUpdate,
    ) -> Result<(), BackendError> {
        self.check_end(caller, target)?;
        if update.limits.is_some() {
            return Err(service_sets("limits"));
        }
        if update.plan.is_some() {
            return Err(service_sets("plan"));
        }
        if let Some(scopes) = &update.scopes {
            check_grants(caller, scopes)?;
            if scopes.iter().any(|scope| !target.scopes.covers(scope)) {
                check_strengthening(caller, update.expires_at.unwrap_or(target.expires_at))?;
            }
        }
        if let Some(end) = update.expires_at
            && is_later(end, target.expires_at)
        {
            // A later expiry grants the scopes again.
            check_grants(caller, update.scopes.as_ref().unwrap_or(&target.scopes))?;
            check_expiry_limit(caller, end)?;
            check_lifetime(caller, target, end)?;
        }
        Ok(())
    }

    pub(super) fn check_rotate(
        &self,
        caller: &Caller,
        target: &Record,
        rotation: &Rotation,
    ) -> Result<(), BackendError> {
        self.check_visible(target)?;
        // The caller is shown the text of the successor.
        check_grants(caller, &target.scopes)?;
        check_sources(caller, target)?;
        let own = caller.key().map(|own| &own.id);
        if caller.is_replaced() && target.rotated_from.as_ref() == own {
            return Err(BackendError::forbidden(None, "a key cannot rotate its own successor"));
        }
        let default = rotation.default_expiry(target);
        match rotation.expires_at {
            Some(end) if limits_successors(caller) || is_later(Some(end), default) => {
                check_expiry_limit(caller, Some(end))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the caller may change or revoke a key: its own, or one without scopes that the caller lacks.
    pub(super) fn check_end(&self, caller: &Caller, target: &Record) -> Result<(), BackendError> {
        self.check_visible(target)?;
        if self.stronger_keys || caller.is(target) {
            return Ok(());
        }
        check_grants(caller, &target.scopes)
    }

    /// Checks that the caller may enable a key, which grants its scopes again.
    pub(super) fn check_enable(&self, caller: &Caller, target: &Record) -> Result<(), BackendError> {
        self.check_visible(target)?;
        if target.disabled.as_ref().is_some_and(|disabled| disabled.locked) {
            let message = "the key was disabled by the service: only the service can enable it";
            return Err(BackendError::forbidden(Some("state"), message));
        }
        check_grants(caller, &target.scopes)?;
        check_strengthening(caller, target.expires_at)
    }

    pub(super) fn check_visible(&self, target: &Record) -> Result<(), BackendError> {
        if self.keys.matches(target) { Ok(()) } else { Err(BackendError::not_found()) }
    }
}

/// Creates the error of a caller that sets what limits it.
fn service_sets(field: &'static str) -> BackendError {
    BackendError::forbidden(Some(field), "only the service can set this")
}

/// Returns whether the successors that a caller makes end by its limit as well: if its own key is replaced, if it has none, or if the
/// application has set another limit.
fn limits_successors(caller: &Caller) -> bool {
    let ends_with_its_key = caller
        .own_key
        .as_ref()
        .is_some_and(|own| own.expires_at == caller.keys_end_by && own.rotated_to.is_none());
    !ends_with_its_key
}

/// Checks that a caller whose successors end with it leaves no key stronger for longer than that.
fn check_strengthening(caller: &Caller, end: Option<Timestamp>) -> Result<(), BackendError> {
    if limits_successors(caller) { check_expiry_limit(caller, end) } else { Ok(()) }
}

/// Checks that the caller sets no lifetime beyond that of its own key. A rotation renews the lifetime, so its keys could
/// otherwise rotate each other for ever.
fn check_lifetime(caller: &Caller, target: &Record, end: Option<Timestamp>) -> Result<(), BackendError> {
    let Some(own) = caller.key() else { return Ok(()) };
    let life = |record: &Record, end: Option<Timestamp>| Some(end?.saturating_since(record.created_at?));
    match (life(target, end), life(own, own.expires_at)) {
        (Some(wanted), Some(own)) if wanted > own => {
            let message = "the key must not live longer than the caller's key";
            Err(BackendError::forbidden(Some("expires_at"), message))
        }
        _ => Ok(()),
    }
}

/// Checks that a key has no sources beyond those that the caller's keys are limited to.
fn check_sources(caller: &Caller, key: &Record) -> Result<(), BackendError> {
    let is_within = || !key.sources.is_empty() && key.sources.iter().all(|own| caller.sources.contains(own));
    if caller.sources.is_empty() || is_within() {
        return Ok(());
    }
    let message = "the key has sources that the caller lacks";
    Err(BackendError::forbidden(Some("sources"), message))
}

fn check_grants(caller: &Caller, scopes: &Scopes) -> Result<(), BackendError> {
    let lacks = |scope: &&Scope| !caller.grants(scope);
    scopes.iter().find(lacks).map_or(Ok(()), |scope| {
        let message = format!("the caller lacks the scope `{}`", shorten(scope.as_str()));
        Err(BackendError::forbidden(Some("scopes"), message))
    })
}

fn check_expiry_limit(caller: &Caller, end: Option<Timestamp>) -> Result<(), BackendError> {
    if !is_later(end, caller.keys_end_by) {
        return Ok(());
    }
    let message = match caller.own_key {
        Some(_) => "the key must not expire later than the caller's key",
        None => "the key must not expire later than the caller may let it",
    };
    Err(BackendError::forbidden(Some("expires_at"), message))
}
