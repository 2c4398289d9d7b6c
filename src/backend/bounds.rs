//! What a delegate may do to keys: rules that are checked with the actor in the transaction of the change.

use super::key_edit::{KeyUpdate, Rotation, is_later};
use super::{AuthorizedActor, BackendError, KeyFilter};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::owner::Owner;
use crate::quote::shorten;
use crate::record::Record;
use crate::rights::Rights;
use crate::scope::{Scope, Scopes};

/// The keys that a caller may access, and what it may do to them.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Accessible keys. The caller gets "not found" for all others.
    pub(crate) keys: KeyFilter,
    /// Whether the caller may also change and revoke keys with scopes that it lacks.
    pub(crate) stronger_keys: bool,
    /// The caller as it was admitted, if it has no key in the store, which therefore cannot authorize it.
    pub(crate) external_caller: Option<AuthorizedActor>,
}

impl Bounds {
    /// Sets the defaults of a new key: it expires with the key of the caller, and has the same sources.
    pub(super) fn inherit(caller: &Record, child: &mut Record) {
        if child.expires_at.is_none() {
            child.expires_at = caller.expires_at;
        }
        if child.sources.is_empty() && !is_user_with_password(caller) {
            child.sources = caller.sources.clone();
        }
    }

    /// Limits what a rotated caller creates to its own expiry. A rotation would otherwise renew a key that is about to end.
    pub(super) fn limit_rotation(caller: &Record, rotation: &mut Rotation) {
        if caller.rotated_to.is_some() {
            rotation.limit = caller.expires_at;
        }
    }

    pub(super) fn check_create(&self, caller: Rights<'_>, child: &Record) -> Result<(), BackendError> {
        if !self.keys.matches_owner(&child.owner, child.environment) {
            return Err(BackendError::forbidden(
                Some("owner"),
                "the owner and environment must be those of the caller",
            ));
        }
        check_grants(caller, &child.scopes)?;
        check_expiry_limit(child.expires_at, caller.record().expires_at)
    }

    pub(super) fn check_update(
        &self,
        caller: Rights<'_>,
        target: &Record,
        update: &KeyUpdate,
    ) -> Result<(), BackendError> {
        self.check_end(caller, target)?;
        update.scopes.as_ref().map_or(Ok(()), |scopes| check_grants(caller, scopes))?;
        if let Some(end) = update.expires_at
            && is_later(end, target.expires_at)
        {
            // A later expiry grants the scopes again.
            check_grants(caller, update.scopes.as_ref().unwrap_or(&target.scopes))?;
            check_expiry_limit(end, caller.record().expires_at)?;
            check_lifetime(caller.record(), target, end)?;
        }
        Ok(())
    }

    pub(super) fn check_rotate(
        &self,
        caller: Rights<'_>,
        target: &Record,
        rotation: &Rotation,
    ) -> Result<(), BackendError> {
        self.check_visible(target)?;
        // The caller is shown the text of the successor.
        check_grants(caller, &target.scopes)?;
        check_sources(caller.record(), target)?;
        let (default, limit) = (rotation.default_expiry(target), caller.record().expires_at);
        let is_replaced = caller.record().rotated_to.is_some();
        if is_replaced && target.rotated_from.as_ref() == Some(&caller.record().id) {
            return Err(BackendError::forbidden(None, "a key cannot rotate its own successor"));
        }
        match rotation.expires_at {
            Some(end) if is_replaced || is_later(Some(end), default) => check_expiry_limit(Some(end), limit),
            _ => Ok(()),
        }
    }

    /// Checks that the caller may change or revoke a key: its own, or one without scopes that the caller lacks.
    pub(super) fn check_end(&self, caller: Rights<'_>, target: &Record) -> Result<(), BackendError> {
        self.check_visible(target)?;
        if self.stronger_keys || target.digest == caller.record().digest {
            return Ok(());
        }
        check_grants(caller, &target.scopes)
    }

    pub(super) fn check_visible(&self, target: &Record) -> Result<(), BackendError> {
        if self.keys.matches(target) { Ok(()) } else { Err(BackendError::not_found()) }
    }
}

/// Checks that the caller sets no lifetime beyond that of its own key. A rotation renews the lifetime, so its keys could
/// otherwise rotate each other for ever.
fn check_lifetime(caller: &Record, target: &Record, end: Option<Timestamp>) -> Result<(), BackendError> {
    let life = |record: &Record, end: Option<Timestamp>| Some(end?.saturating_since(record.created_at?));
    match (life(target, end), life(caller, caller.expires_at)) {
        (Some(wanted), Some(own)) if wanted > own => {
            let message = "the key must not live longer than the caller's key";
            Err(BackendError::forbidden(Some("expires_at"), message))
        }
        _ => Ok(()),
    }
}

/// Checks that the key has no sources beyond those of a caller with restricted sources.
fn check_sources(caller: &Record, target: &Record) -> Result<(), BackendError> {
    let is_within =
        || !target.sources.is_empty() && target.sources.iter().all(|source| caller.accepts(source));
    if caller.sources.is_empty() || is_user_with_password(caller) || is_within() {
        return Ok(());
    }
    let message = "the key has sources that the caller's key lacks";
    Err(BackendError::forbidden(Some("sources"), message))
}

/// Returns whether the caller is a user who presented a password. The source of a password says nothing about keys.
fn is_user_with_password(caller: &Record) -> bool {
    matches!(&caller.owner, Owner::User(own) if caller.digest == Digest::of_user(&own.email))
}

fn check_grants(caller: Rights<'_>, scopes: &Scopes) -> Result<(), BackendError> {
    let lacks = |scope: &&Scope| !caller.grants(scope);
    scopes.iter().find(lacks).map_or(Ok(()), |scope| {
        let message = format!("the caller lacks the scope `{}`", shorten(scope.as_str()));
        Err(BackendError::forbidden(Some("scopes"), message))
    })
}

fn check_expiry_limit(end: Option<Timestamp>, caller: Option<Timestamp>) -> Result<(), BackendError> {
    if is_later(end, caller) {
        let message = "the key must not expire later than the caller's key";
        return Err(BackendError::forbidden(Some("expires_at"), message));
    }
    Ok(())
}
