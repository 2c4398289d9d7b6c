//! The authenticated caller of a request, as handlers see it.

// Layer 8 of 10: decision.
// Above `cache` and `reject`: its cache entry holds how to respond, and leads to its authenticator. Below `authenticator`, which makes it.
// `request`, which keeps it in the extensions of a request, is above this file.

mod request;

pub(crate) use request::{
    Anonymous, Dependent, Opened, Pass, admitted_public, is_admitted_preflight, principal,
};

use std::fmt;
use std::sync::Arc;

use crate::backend::Actor;
use crate::backend::AuthorizedActor;
use crate::cache::{Entry, Issuer};
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::limit::Limit;
use crate::owner::{Organization, Owner};
use crate::record::Record;
use crate::reject::{Reason, Rejection};
pub use crate::rights::Resource;
use crate::rights::Rights;
use crate::scope::{RequirementRef, Scopes};
use crate::trace;

/// The authenticated caller of a request: proof that a credential was presented, resolved and checked.
///
/// Only an [`Authenticator`](crate::Authenticator) makes one (and `test_util`, for tests of handlers). It is one `Arc`,
/// cheap to clone, and holds no secret. The middleware puts it into the extensions of each admitted request.
#[derive(Clone)]
pub struct Principal {
    entry: Arc<Entry>,
    source: u8,
}

impl Principal {
    /// Creates the caller that presented the key of `entry` through the source with this index.
    pub(crate) fn new(entry: Arc<Entry>, source: u8) -> Self {
        Self { entry, source }
    }

    pub(crate) fn record(&self) -> &Record {
        self.entry.record()
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Counts the request by route, if its authenticator counts usage.
    pub(crate) fn count_route(&self, route: &str) {
        self.entry.count_route(route);
    }

    fn issuer(&self) -> &Issuer {
        self.entry.issuer()
    }

    /// Returns whether the authenticator that `entry` belongs to has admitted this caller by the same key.
    pub(crate) fn is_of(&self, entry: &Entry) -> bool {
        std::ptr::eq(self.issuer(), entry.issuer()) && self.record().id == entry.record().id
    }

    /// Returns the id of the key that was presented.
    pub fn key_id(&self) -> &KeyId {
        &self.record().id
    }

    /// Returns the name of the key that was presented.
    pub fn key_name(&self) -> &str {
        &self.record().name
    }

    /// Returns how the key was presented.
    pub fn scheme(&self) -> &Scheme {
        // OK because only the issuer of the schemes creates principals, for one of them.
        &self.issuer().schemes[usize::from(self.source)]
    }

    /// Returns the scopes granted to the key.
    pub fn scopes(&self) -> &Scopes {
        &self.record().scopes
    }

    /// Returns the environment of the key.
    pub fn environment(&self) -> Environment {
        self.record().environment
    }

    /// Returns the limits of the requests with the key, with those of its plan.
    pub fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.record().all_limits()
    }

    /// Returns the owner of the key.
    pub fn owner(&self) -> &Owner {
        &self.record().owner
    }

    /// Returns the id of the organization that owns the key or its project. `None` for the key of a user, which may access several
    /// [organizations](Self::organizations).
    ///
    /// A key of a project reaches the project alone: [`authorize`](Self::authorize) rejects it for the organization.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_api_key::owner::Organization;
    /// use tower_api_key::principal::Resource;
    /// use tower_api_key::reject::Forbidden;
    /// use tower_api_key::{Owner, Principal, Rejection, Scope, test_util};
    ///
    /// const READ: Scope = Scope::from_static("notes.read");
    ///
    /// fn tenant(caller: &Principal) -> Result<&str, Rejection> {
    ///     let tenant = caller.organization_id().ok_or_else(|| caller.reject(Forbidden::Organization))?;
    ///     caller.authorize(&READ, Resource::Organization(tenant))?;
    ///     Ok(tenant)
    /// }
    ///
    /// let of = |owner: Owner| {
    ///     test_util::principal(|record| (record.owner, record.scopes) = (owner, READ.into()))
    /// };
    /// assert_eq!(tenant(&of(Owner::organization("acme"))).unwrap(), "acme");
    /// let project = Owner::project(Organization::new("acme"), "web");
    /// assert!(tenant(&of(project)).is_err());
    /// # }
    /// ```
    pub fn organization_id(&self) -> Option<&str> {
        self.owner().organization_id()
    }

    /// Returns the organizations that the key may access: no disabled ones, and for users none that require single sign-on.
    pub fn organizations(&self) -> impl Iterator<Item = &Organization> {
        let by_key = matches!(self.owner(), Owner::User(_));
        self.owner()
            .organizations()
            .filter(move |organization| !(organization.disabled || by_key && organization.requires_sso))
    }

    /// Returns the metadata called `name`, which the application keeps with the key. The owner of the key cannot change it.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.record().metadata.get(name).map(String::as_str)
    }

    /// Returns the label called `name`, which the owner of the key chose. Base no decision on it: the owner can change it.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.record().labels.get(name).map(String::as_str)
    }

    /// Requires scopes of the caller, without regard to a resource.
    ///
    /// Looks at the scopes of the key, with wildcards and the [scope that implies all](crate::AuthenticatorBuilder::admin_scope). For a
    /// user, a scope counts if the user has it too: by the [scopes of every user](crate::AuthenticatorBuilder::user_scopes), or by the
    /// role in one of the organizations that the key [reaches](Self::organizations), whichever that is. Scopes of two roles are not added
    /// up, and a user without an organization has none but the scopes of every user.
    ///
    /// Where a request concerns one organization, call [`authorize`](Self::authorize): the caller may have the scope in another one.
    ///
    /// # Errors
    ///
    /// [`MissingScope`](Reason::MissingScope), answered as the authenticator is configured to.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_api_key::{Principal, Reason, Rejection, Scope, Scopes, test_util};
    ///
    /// const HISTORY: Scope = Scope::from_static("history.read");
    ///
    /// fn export(caller: &Principal, with_history: bool) -> Result<&'static str, Rejection> {
    ///     if with_history {
    ///         caller.require(&HISTORY)?;
    ///     }
    ///     Ok("id,text")
    /// }
    ///
    /// let caller = test_util::principal(|record| record.scopes = Scopes::parse("notes.read").unwrap());
    /// assert_eq!(export(&caller, false).unwrap(), "id,text");
    /// assert!(matches!(export(&caller, true).unwrap_err().reason(), Reason::MissingScope(_)));
    /// # }
    /// ```
    pub fn require<'r>(&self, needed: impl Into<RequirementRef<'r>>) -> Result<(), Rejection> {
        let needed = needed.into();
        if self.rights().meets(needed) {
            return Ok(());
        }
        Err(self.reject(Reason::MissingScope(needed.to_requirement())))
    }

    /// Requires scopes of the caller for `resource`.
    ///
    /// Looks at the owner, who has to own the resource or the organization of it, or be a member of that organization; at the scopes of the
    /// key; and for a user at those of the role in that organization. A scope counts if the key and the role have it: the
    /// [scopes of every user](crate::AuthenticatorBuilder::user_scopes) hold for no organization and do not count.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](Reason::Forbidden) if the owner may not access the resource, [`MissingScope`](Reason::MissingScope) if a scope is
    /// missing, answered as the authenticator is configured to.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_api_key::owner::{Membership, Organization};
    /// use tower_api_key::principal::Resource;
    /// use tower_api_key::{Owner, Scope, Scopes, test_util};
    ///
    /// let reader = Membership::new(Organization::new("acme"), "reader", Scopes::parse("notes.read").unwrap());
    /// let ann = test_util::principal(|record| {
    ///     record.owner = Owner::user("ann@example.com", [reader]);
    ///     record.scopes = Scopes::parse("notes.*").unwrap();
    /// });
    /// const READ: Scope = Scope::from_static("notes.read");
    /// const WRITE: Scope = Scope::from_static("notes.write");
    /// assert!(ann.authorize(&READ, Resource::Organization("acme")).is_ok());
    /// assert!(ann.authorize(&WRITE, Resource::Organization("acme")).is_err(), "a reader does not write");
    /// assert!(ann.authorize(&READ, Resource::Organization("other")).is_err(), "no member of it");
    /// # }
    /// ```
    pub fn authorize<'r>(
        &self,
        needed: impl Into<RequirementRef<'r>>,
        resource: Resource<'_>,
    ) -> Result<(), Rejection> {
        self.rights().authorize(needed, resource).map_err(|reason| self.reject(reason))
    }

    /// Creates the rejection of this caller, answered as the authenticator that admitted it is configured to.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_api_key::reject::Forbidden;
    /// use tower_api_key::{Reason, test_util};
    ///
    /// let caller = test_util::principal(|_| {});
    /// assert_eq!(caller.reject(Forbidden::Project).reason(), &Reason::Forbidden(Forbidden::Project));
    /// # }
    /// ```
    pub fn reject(&self, reason: impl Into<Reason>) -> Rejection {
        Rejection::by(Arc::clone(&self.issuer().responses), reason.into())
            .presented(self.scheme().clone())
            .of_caller(Arc::clone(&self.entry) as _)
    }

    /// Checks the caller again, and returns it with its current scopes and owner: for a step that cannot be undone, after a body that took
    /// long to arrive.
    ///
    /// It uses the cache as a request does, so changes by another process take effect within the
    /// [lease](crate::AuthenticatorBuilder::lease). It is no transaction: the caller may lose its key right after it. Changes of keys and
    /// owners have one, with [`actor`](Self::actor). The use of the key is not counted again.
    ///
    /// A principal of `test_util` is returned as it is.
    ///
    /// # Errors
    ///
    /// When the caller would not be admitted any more, its password was changed, or the store did not answer.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime and a lookup in the store is necessary.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use http::HeaderMap;
    /// use tower_api_key::backend::{KeyChange, KeyStore};
    /// use tower_api_key::digest::Digester;
    /// use tower_api_key::record::Revocation;
    /// use tower_api_key::{Authenticator, Environment, KeyFormat, KeyId, MemoryStore, Owner, Reason};
    /// use tower_api_key::{Record, Timestamp};
    ///
    /// let (store, key) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
    /// let id = KeyId::new("key_1")?;
    /// let record = Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"));
    /// store.change(KeyChange::insert(record)).await?;
    /// let authenticator = Authenticator::builder(store.clone()).build()?;
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-api-key", key.reveal().as_str().parse()?);
    ///
    /// let caller = authenticator.authenticate(&headers).await?;
    /// assert!(caller.recheck().await.is_ok());
    /// let revocation = Revocation::new(Timestamp::from_unix_millis(0), "lost");
    /// store.change(KeyChange::revoke(&id, revocation)).await?;
    /// assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn recheck(&self) -> Result<Self, Rejection> {
        let Some(authenticator) = &self.issuer().authenticator else { return Ok(self.clone()) };
        let Some(authenticator) = authenticator.upgrade() else {
            trace::authenticator_dropped();
            return Err(self.reject(Reason::Unavailable));
        };
        match authenticator.recheck(&self.entry, self.source.into()).await {
            Ok(entry) => Ok(Self::new(entry, self.source)),
            Err(reason) => Err(self.reject(reason)),
        }
    }

    /// Returns the caller as the actor of a change. A store checks it again in the transaction of the change.
    ///
    /// A store rejects a principal whose key is in another backend. Such a caller acts as
    /// [`Actor::External`].
    pub fn actor(&self) -> Actor {
        let Issuer { policy, clock, .. } = self.issuer();
        Actor::of(self.record(), self.entry.digests(), self.scheme(), policy, clock)
    }

    /// Returns the caller as it was admitted, for a store that cannot check it.
    pub(crate) fn authorized_actor(&self) -> AuthorizedActor {
        AuthorizedActor::new(self.record().clone(), self.issuer().policy.clone())
    }

    fn rights(&self) -> Rights<'_> {
        Rights::new(self.record(), &self.issuer().policy)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("key_id", self.key_id())
            .field("owner", self.owner())
            .field("environment", &self.environment())
            .field("scopes", self.scopes())
            .finish_non_exhaustive()
    }
}
