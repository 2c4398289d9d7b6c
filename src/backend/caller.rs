//! The caller that acts within bounds: the scopes that it may grant, and the limits of the keys that it makes.

// Layer 3 of 10: storage.

use super::AuthorizedActor;
use super::actor::{AuthorizedSession, Grant, SessionOpener};
use super::expiry::earlier;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::digest::Digest;
use crate::limit::{Limits, Plan};
use crate::owner::Owner;
use crate::record::Record;
use crate::rights::{Rights, ScopePolicy};
use crate::scope::{RequirementRef, Scope, Scopes};

/// What a caller has, and may therefore grant: the scopes and limits of its own key, or those that the application gives to a caller of
/// another login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) scopes: Scopes,
    pub(crate) policy: ScopePolicy,
    /// The sources that its keys are limited to; empty for any.
    pub(crate) sources: Box<[Scheme]>,
    /// The latest expiry of its keys.
    pub(crate) keys_end_by: Option<Timestamp>,
    /// The limits and the plan of the keys that it creates.
    pub(crate) limits: Limits,
    pub(crate) plan: Option<Plan>,
    /// The key that it was admitted with. A caller that another login has authenticated has none.
    pub(crate) own_key: Option<Record>,
    /// The key that a session of a hand-over stands for. The session has less than that, so it is not its own; but it outlives it no more.
    opener: Option<Record>,
    /// What also has to hold the scopes that it grants: the opener of a session beside the hand-over.
    pub(crate) within: Vec<Scopes>,
}

impl Caller {
    /// Returns whether the caller meets a requirement.
    #[cfg_attr(not(feature = "routes"), allow(dead_code, reason = "only the routes require scopes"))]
    pub(crate) fn meets(&self, needed: RequirementRef<'_>) -> bool {
        match &self.own_key {
            Some(record) => Rights::new(record, &self.policy).meets(needed),
            None => needed.is_met(|scope| self.all_scopes().all(|own| self.policy.covers(own, scope))),
        }
    }

    /// Returns whether the caller may grant `scope` to a key.
    pub(crate) fn grants(&self, scope: &Scope) -> bool {
        self.all_scopes().all(|own| self.policy.grants(own, scope))
    }

    fn all_scopes(&self) -> impl Iterator<Item = &Scopes> {
        [&self.scopes].into_iter().chain(&self.within)
    }

    /// Limits the opener of a session to what the hand-over grants.
    fn limited(self, grant: Grant, role: Option<Scopes>) -> Self {
        let sources = if grant.sources.is_empty() { self.sources } else { grant.sources };
        let within = [self.scopes].into_iter().chain(role).collect();
        let keys_end_by = earlier(grant.keys_end_by, self.keys_end_by);
        let limits = if grant.limits.is_empty() { self.limits } else { grant.limits };
        let plan = grant.plan.or(self.plan);
        let (scopes, policy, opener) = (grant.scopes, self.policy, self.own_key);
        Self { scopes, policy, sources, keys_end_by, limits, plan, own_key: None, opener, within }
    }

    /// Returns the key by whose life that of other keys is bounded: that of the caller, or of the opener of its session.
    pub(super) fn key(&self) -> Option<&Record> {
        self.own_key.as_ref().or(self.opener.as_ref())
    }

    /// Returns whether `key` is the one that the caller was admitted with.
    pub(super) fn is(&self, key: &Record) -> bool {
        self.own_key.as_ref().is_some_and(|own| own.digest == key.digest)
    }

    /// Returns whether the key of the caller was rotated, so that it only lasts for a grace.
    pub(super) fn is_replaced(&self) -> bool {
        self.key().is_some_and(|own| own.rotated_to.is_some())
    }
}

impl From<AuthorizedActor> for Caller {
    fn from(AuthorizedActor { record, policy, session }: AuthorizedActor) -> Self {
        let grant = match session {
            Some(AuthorizedSession { grant: Some(grant), opener: SessionOpener::NotInStore, .. }) => {
                let Grant { scopes, sources, keys_end_by, limits, plan, .. } = grant;
                return Self { scopes, policy, sources, keys_end_by, limits, plan, ..Self::default() };
            }
            Some(AuthorizedSession { grant, opener: SessionOpener::InStore { role }, .. }) => {
                grant.map(|grant| (grant, role))
            }
            _ => None,
        };
        // The source of a password says nothing about keys.
        let by_password =
            matches!(&record.owner, Owner::User(own) if record.digest == Digest::of_user(&own.email));
        let sources = if by_password { Box::default() } else { record.sources.clone() };
        let own = Self {
            scopes: record.scopes.clone(),
            policy,
            sources,
            keys_end_by: record.expires_at,
            limits: record.limits.clone(),
            plan: record.plan.clone(),
            own_key: Some(record),
            ..Self::default()
        };
        match grant {
            Some((grant, role)) => own.limited(grant, role),
            None => own,
        }
    }
}
