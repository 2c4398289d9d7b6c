//! Key management on behalf of a caller: passes changes to the manager, with the bounds that the store checks, and narrows reads to the
//! keys of the caller.

// Layer 9 of 10: management.

use std::sync::Arc;

use super::manager::BoundedActor;
use super::{
    CreatedKey, ExternalCaller, KeyManager, ManageError, ManageErrorKind, NewKey, RotateOptions, Wait,
};
use crate::backend::{
    Actor, AuditEntry, AuditLog, AuditQuery, BackendError, Bounds, Caller, KeyFilter, KeyStore, KeyUpdate,
    ManagerRule, Propagation, RecordKind, SearchPosition, UsageLine, UsageQuery, UsageStore,
};
#[cfg(feature = "routes")]
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::record::Record;
use crate::scope::{Requirement, Scope};

/// A key manager limited to the keys of a caller: those of its own organization, project or user, in its own environment. It reports all
/// other keys as not found. The caller can grant only scopes that it has itself, and needs the scopes of a key to rotate, update, disable, enable or revoke it.
///
/// The store checks these rules in the transaction of each change, against the key and, unless the caller is external, the state of the
/// caller at that time.
#[derive(Debug)]
pub struct Delegate<'m, S> {
    manager: &'m KeyManager<S>,
    actor: Actor,
    owner: Owner,
    /// The environment of new keys.
    environment: Environment,
    /// Whether the caller manages keys of all environments.
    all_environments: bool,
    /// The caller as it was admitted. The store checks it again, unless it is external.
    caller: Caller,
    managers: Option<ManagerRule>,
}

impl<S: KeyStore> KeyManager<S> {
    /// Limits the manager to the rights of a caller whose key is in this store. With each change, the store checks the caller in place of the
    /// manager's actor, including that actor's requirements.
    pub fn on_behalf_of(&self, caller: &Principal) -> Delegate<'_, S> {
        Delegate {
            manager: self,
            actor: caller.actor().requires_same_as(&self.actor),
            owner: caller.owner().identity(),
            environment: caller.environment(),
            all_environments: false,
            caller: caller.authorized_actor().into(),
            managers: None,
        }
    }

    /// Limits the manager to the rights of a caller that another login has authenticated, or whose [`Principal`] has its key in another
    /// backend. The store cannot check that it still has these rights: see [`ExternalCaller`].
    pub fn on_behalf_of_external(&self, caller: impl Into<ExternalCaller>) -> Delegate<'_, S> {
        let mut caller = caller.into();
        if caller.caller.own_key.is_none() && caller.session.is_none() {
            caller.caller.policy = self.policy.clone();
        }
        let delegate = Delegate {
            manager: self,
            actor: caller.actor(),
            owner: caller.owner.identity(),
            environment: caller.environment,
            all_environments: caller.all_environments,
            caller: caller.caller,
            managers: None,
        };
        match caller.keeps {
            Some(requirement) => delegate.keeping_manager(requirement),
            None => delegate,
        }
    }
}

impl<S: KeyStore> Delegate<'_, S> {
    /// Lets a live caller manage the keys of all environments. A caller of another environment stays limited to its own: with a live key
    /// that it creates, a test key would reach live data. Has no effect on a caller without a key, as an [`ExternalCaller`] names its environments.
    #[must_use]
    pub fn across_environments(self) -> Self {
        if self.caller.own_key.is_none() {
            return self;
        }
        Self { all_environments: self.environment == Environment::Live, ..self }
    }

    /// Requires scopes of the caller at the time of each change, beyond those that the change grants. Has no effect on an external caller.
    #[must_use]
    pub fn requiring(self, requirement: Requirement) -> Self {
        Self { actor: self.actor.requires(requirement), ..self }
    }

    /// Returns whether the caller has a scope, so that it may grant it to other keys. The store checks this again with each change.
    pub fn can_grant(&self, scope: &Scope) -> bool {
        self.caller.grants(scope)
    }

    /// Rejects changes that would leave an owner without a manager: a key that meets `requirement`, is active and was not replaced. A manager
    /// that would expire within a day counts as ended, unless the key that is changed would have expired by then too. Keys that a caller
    /// could not see do not count, nor does a caller whose key another backend keeps.
    ///
    /// The store judges this in the transaction of a change: of two callers that end the last two managers at the same time, one is rejected.
    /// To permit such a change, make it without this.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # use http::HeaderMap;
    /// # use tower_api_key::manage::NewKey;
    /// # use tower_api_key::{Authenticator, KeyFormat, MemoryStore};
    /// use tower_api_key::Requirement;
    /// use tower_api_key::manage::{KeyManager, ManageErrorKind};
    ///
    /// # let store = MemoryStore::new();
    /// let manager = KeyManager::new(store.clone(), KeyFormat::new("demo")?);
    /// # let only = manager.create(NewKey::for_organization("acme").scopes("keys.write".parse()?)).await?;
    /// # let mut headers = HeaderMap::new();
    /// # headers.insert("x-api-key", only.reveal().as_str().parse()?);
    /// # let caller = Authenticator::builder(store).build()?.authenticate(&headers).await?;
    /// // The only key of its organization.
    /// let delegate = manager.on_behalf_of(&caller);
    /// let careful = manager.on_behalf_of(&caller).keeping_manager(Requirement::all_of(["keys.write"])?);
    /// let error = careful.revoke(caller.key_id(), "clean-up").await.unwrap_err();
    /// assert_eq!(error.kind(), ManageErrorKind::LastManager);
    /// delegate.revoke(caller.key_id(), "the account is closed").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn keeping_manager(self, requirement: Requirement) -> Self {
        let clock = Arc::clone(&self.manager.clock);
        Self { managers: Some(ManagerRule { requirement, clock }), ..self }
    }

    /// Returns a key to [`create`](Self::create), with the caller's owner and environment, without a name or scopes.
    pub fn new_key(&self) -> NewKey {
        NewKey::new(self.owner.clone()).environment(self.environment)
    }

    /// Creates a key of the caller's owner, in its environment, or in any environment with
    /// [`across_environments`](Self::across_environments). `created_by` is set to the caller. The key expires no later than the caller's key,
    /// has the same sources if it names none, and the same limits and plan: only the application sets these.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, lacks one of the scopes, or asks for a later
    /// expiry, other limits, another plan, another owner or another environment, named by [`fields`](ManageError::fields); and those of [`KeyManager::create`].
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        if new.owner.identity() != self.owner {
            return Err(ManageError::forbidden("owner", "must be the caller's owner"));
        }
        if !self.all_environments && new.environment != self.environment {
            let message = format!("must be {}, the caller's environment", self.environment);
            return Err(ManageError::forbidden("environment", message));
        }
        self.check_may_make()?;
        self.manager.create_by(&self.bounded_actor(), NewKey { owner: self.owner.clone(), ..new }).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if no key of the caller has this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.manager.get(id).await?;
        if self.own().matches(&record) { Ok(record) } else { Err(ManageError::not_found()) }
    }

    /// Returns the first `limit` of the caller's keys after `after` that match a filter.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn list(
        &self,
        filter: KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        match self.filter(filter) {
            Some(own) => self.manager.list(&own, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns the first `limit` of the caller's keys after `after` that a filter finds, in the order of their hints or names, as
    /// [`KeyManager::search`] does.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn search(
        &self,
        filter: KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        match self.filter(filter) {
            Some(own) => self.manager.search(&own, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Updates a key, except its limits and its plan, which only the application sets.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the update sets limits or a plan, or the caller is no longer active, lacks one of the scopes that the key has or
    /// would get, or postpones the expiry of the key beyond that of its own key, or to a longer lifetime than that of its own key; and those
    /// of [`get`](Self::get) and [`KeyManager::update`].
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        self.manager.update_by(&self.bounded_actor(), id, update).await
    }

    /// Replaces a key with a new one that has the same owner and rights. A caller may rotate its own key. A caller whose own key was rotated
    /// gets successors that end with that key, and cannot rotate the successor of its own key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, lacks one of the scopes or sources of the key, or
    /// asks for an expiry later than both that of its own key and the default of the successor; and those of [`get`](Self::get) and
    /// [`KeyManager::rotate`].
    pub async fn rotate(&self, id: &KeyId, options: RotateOptions) -> Result<CreatedKey, ManageError> {
        self.check_may_make()?;
        self.manager.rotate_by(&self.bounded_actor(), id, options).await
    }

    /// Rotates a key that the delegate has read.
    #[cfg(feature = "console")]
    pub(crate) async fn rotate_as_read(
        &self,
        old: Record,
        options: RotateOptions,
    ) -> Result<CreatedKey, ManageError> {
        self.check_may_make()?;
        self.manager.rotate_as_read_by(&self.bounded_actor(), old, options).await
    }

    /// Disables a key until it is [enabled](Self::enable), and returns it. A caller may always disable its own key, but not enable it: it is
    /// no longer active then.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke) and [`KeyManager::disable`].
    pub async fn disable(&self, id: &KeyId, reason: &str) -> Result<Record, ManageError> {
        self.manager.disable_by(&self.bounded_actor(), id, reason).await
    }

    /// Enables a key that was disabled by a delegate, and returns it.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the application disabled the key, or the caller is no longer active or lacks one of
    /// the scopes of the key, even with [`KeyManager::allow_stronger_keys`]; and those of [`get`](Self::get) and [`KeyManager::enable`].
    pub async fn enable(&self, id: &KeyId) -> Result<Record, ManageError> {
        self.manager.enable_by(&self.bounded_actor(), id).await
    }

    /// Revokes a key permanently. A caller may always revoke its own key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, or lacks one of the scopes of the key; and
    /// those of [`get`](Self::get) and [`KeyManager::revoke`].
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.manager.revoke_by(&self.bounded_actor(), id, reason).await
    }

    /// Revokes a key permanently, and waits until no process admits it, as [`KeyManager::revoke_everywhere`] does.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Propagation, ManageError> {
        self.revoke_and_wait(id, reason, Wait::new().until_lease()).await
    }

    /// Revokes a key permanently, waits for other processes, and returns how far the revocation has propagated.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_and_wait(
        &self,
        id: &KeyId,
        reason: &str,
        wait: Wait,
    ) -> Result<Propagation, ManageError> {
        self.revoke(id, reason).await?;
        Ok(self.manager.wait_applied(wait).await)
    }

    /// Returns whether the caller meets a requirement.
    #[cfg(feature = "routes")]
    pub(super) fn meets(&self, needed: &Requirement) -> bool {
        self.caller.meets(needed.into())
    }

    /// Checks that a caller that is limited to some sources gives a key no other ones. The sources of a key never change, so those that the
    /// caller was admitted with are its own.
    #[cfg(feature = "routes")]
    pub(super) fn check_sources(&self, sources: &[Scheme]) -> Result<(), ManageError> {
        let own = &self.caller.sources;
        if own.is_empty() || sources.iter().all(|source| own.contains(source)) {
            return Ok(());
        }
        Err(ManageError::forbidden("sources", "must be among the sources of the caller"))
    }

    /// Checks that a caller without a key may make keys that have not ended yet: a rotation would end a key in favour of one that has.
    fn check_may_make(&self) -> Result<(), ManageError> {
        let end = self
            .caller
            .keys_end_by
            .filter(|_| self.external_caller().is_some() || self.caller.own_key.is_none());
        if end.is_some_and(|end| end <= self.manager.clock.wall()) {
            return Err(ManageError::forbidden("expires_at", "the caller's keys have to end by now"));
        }
        Ok(())
    }

    /// Returns the caller and its limits, which the store checks.
    fn bounded_actor(&self) -> BoundedActor {
        let bounds = Bounds {
            keys: self.own(),
            stronger_keys: self.manager.stronger_keys,
            managers: self.managers.clone(),
            external_caller: self.external_caller().cloned(),
        };
        BoundedActor { actor: self.actor.clone(), bounds: Some(bounds) }
    }

    /// Returns the caller, if the store cannot check it.
    fn external_caller(&self) -> Option<&Caller> {
        (!self.actor.is_in_store()).then_some(&self.caller)
    }

    /// Returns a filter for the keys of the caller.
    fn own(&self) -> KeyFilter {
        let own = KeyFilter::of_owner(&self.owner);
        if self.all_environments { own } else { own.environment(self.environment) }
    }

    /// Narrows a filter to the keys of the caller. Returns `None` if the filter excludes all of them.
    fn filter(&self, mut filter: KeyFilter) -> Option<KeyFilter> {
        let own = self.own();
        filter.kind = RecordKind::Keys;
        let overlaps = narrow(&mut filter.environment, own.environment.as_ref())
            && narrow(&mut filter.organization, own.organization.as_ref())
            && narrow(&mut filter.project, own.project.as_ref())
            && narrow(&mut filter.user, own.user.as_ref());
        overlaps.then_some(filter)
    }
}

impl<S: KeyStore + AuditLog> Delegate<'_, S> {
    /// Returns the entries of the audit log about the caller's keys that match a query, including those of deleted keys.
    ///
    /// The caller is shown the actors that managed the keys by a [`Delegate`], such as itself. Changes by the application have no actor here,
    /// and none of them matches a query for an actor: the names of operators are not for customers.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the query names a key that is not the caller's, and no deleted key of the caller had
    /// this id; [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, ManageError> {
        let store = &self.manager.store;
        self.query_audit_by(query, |query| async move { store.audit_log(&query).await }).await
    }
}

impl<S: KeyStore> Delegate<'_, S> {
    /// Returns the entries of the caller's keys, as [`query_audit`](Self::query_audit) does, from any log.
    pub(super) async fn query_audit_by<R>(
        &self,
        query: AuditQuery,
        read: impl Fn(AuditQuery) -> R,
    ) -> Result<Vec<AuditEntry>, ManageError>
    where
        R: Future<Output = Result<Vec<AuditEntry>, BackendError>>,
    {
        if let Some(id) = &query.key
            && let Err(error) = self.get(id).await
        {
            // Of a deleted key, the entries are left.
            let left = AuditQuery::all().of_key(id.clone()).within(self.own()).limit(1);
            if error.kind() != ManageErrorKind::NotFound || read(left).await?.is_empty() {
                return Err(error);
            }
        }
        let Some(own) = self.filter(query.filter()) else { return Ok(Vec::new()) };
        let query = match (&query.actor, query.delegated) {
            (Some(_), Some(false)) => return Ok(Vec::new()),
            // A client could guess the name of an operator otherwise.
            (Some(_), _) => query.within(own).delegated(true),
            (None, _) => query.within(own),
        };
        let mut entries = read(query).await?;
        entries.iter_mut().filter(|entry| !entry.delegated).for_each(|entry| entry.event.by = None);
        Ok(entries)
    }
}

impl<S: KeyStore + UsageStore> Delegate<'_, S> {
    /// Returns the usage of the caller's keys that match a query.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the query names a key that is not the caller's;
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_usage(&self, query: UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        if let Some(id) = &query.key {
            self.get(id).await?;
        }
        let Some(own) = self.filter(query.filter()) else { return Ok(Vec::new()) };
        self.manager.query_usage(&query.within(own)).await
    }
}

/// Narrows a criterion of a filter to the caller's value, if any, and returns whether the two overlap.
fn narrow<T: PartialEq + Clone>(wanted: &mut Option<T>, own: Option<&T>) -> bool {
    let Some(own) = own else { return true };
    let overlaps = wanted.as_ref().is_none_or(|wanted| wanted == own);
    *wanted = Some(own.clone());
    overlaps
}
