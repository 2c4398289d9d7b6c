//! Every change that an actor can make.

use tower_api_key::Owner;
use tower_api_key::backend::{
    BackendErrorKind, Grace, KeyBatch, KeyFilter, KeyStore, KeyUpdate, OwnerChange, OwnerStore,
};
use tower_api_key::digest::Digester;
use tower_api_key::manage::{Delegate, ManageError, ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::owner::Organization;

use crate::interleavings::cast::{ACME, ANN, BOB, Cast, END, Who, needs, role, scopes};
use support::{START, revocation};

/// The tables that a change may write. Referenced tables come first.
pub(crate) const TABLES: [&str; 9] = [
    "tower_api_key_plan",
    "tower_api_key_organization",
    "tower_api_key_user",
    "tower_api_key_membership",
    "tower_api_key_project",
    "tower_api_key_deleted_owner",
    "tower_api_key",
    "tower_api_key_change",
    "tower_api_key_audit",
];

/// The outcome of a change.
pub(crate) type Outcome = Result<(), BackendErrorKind>;

/// A store, and a place for effects outside of it.
pub(crate) trait Node: KeyStore + OwnerStore + Clone {
    /// Makes an effect that is no change of the store.
    async fn outside(&self, effect: impl FnOnce()) {
        effect();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Within the bounds of a delegate.
    Within(Bounded),
    /// By a manager or a store that acts for the actor.
    For(Wide),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounded {
    Create,
    Relabel,
    Rescope,
    Postpone,
    RotateAnother,
    RotateItself,
    DisableAnother,
    DisableItself,
    EnableAnother,
    RevokeAnother,
    RevokeItself,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wide {
    Create,
    Import,
    ImportText,
    Update,
    Rotate,
    Replace,
    Disable,
    Enable,
    Revoke,
    RevokeAll,
    RevokeBatch,
    PurgeEnded,
    PutOrganization,
    DisableOrganization,
    DeleteOrganization,
    PutUser,
    SetOwnPassword,
    SetPassword,
    DeleteUser,
    PutMembership,
    DeleteMembership,
    PutProject,
    DeleteProject,
    Purge,
}

const BOUNDED: [Bounded; 11] = [
    Bounded::Create,
    Bounded::Relabel,
    Bounded::Rescope,
    Bounded::Postpone,
    Bounded::RotateAnother,
    Bounded::RotateItself,
    Bounded::DisableAnother,
    Bounded::DisableItself,
    Bounded::EnableAnother,
    Bounded::RevokeAnother,
    Bounded::RevokeItself,
];

const WIDE: [Wide; 24] = [
    Wide::Create,
    Wide::Import,
    Wide::ImportText,
    Wide::Update,
    Wide::Rotate,
    Wide::Replace,
    Wide::Disable,
    Wide::Enable,
    Wide::Revoke,
    Wide::RevokeAll,
    Wide::RevokeBatch,
    Wide::PurgeEnded,
    Wide::PutOrganization,
    Wide::DisableOrganization,
    Wide::DeleteOrganization,
    Wide::PutUser,
    Wide::SetOwnPassword,
    Wide::SetPassword,
    Wide::DeleteUser,
    Wide::PutMembership,
    Wide::DeleteMembership,
    Wide::PutProject,
    Wide::DeleteProject,
    Wide::Purge,
];

impl Change {
    /// The changes that this kind of actor can make.
    pub(crate) fn of(who: Who) -> impl Iterator<Item = Self> {
        let can = move |change: &Bounded| who != Who::Person || !change.is_own();
        let within = BOUNDED.into_iter().filter(can).map(Self::Within);
        within.chain(WIDE.into_iter().map(Self::For))
    }

    pub(crate) async fn make<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Outcome {
        match self {
            Self::Within(change) => change.make(store, cast, who).await.map_err(|error| kind_of(&error)),
            Self::For(change) => change.make(store, cast, who).await,
        }
    }
}

impl Bounded {
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::RotateItself | Self::DisableItself | Self::RevokeItself)
    }

    async fn make<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Result<(), ManageError> {
        let manager = cast.manager(store.clone());
        let delegate = manager.on_behalf_of(cast.caller(who)).requiring(needs("keys.write"));
        let house = cast.household(who);
        let id = if self.is_own() { house.own.id() } else { house.target.id() };
        let mut update = KeyUpdate::default();
        match self {
            Self::Create => {
                return create(&delegate).await;
            }
            Self::Relabel => update.labels = Some([("team".to_owned(), "a".to_owned())].into()),
            Self::Rescope => update.scopes = Some(scopes(crate::interleavings::cast::SCOPES)),
            Self::Postpone => update.expires_at = Some(Some(END)),
            Self::RotateAnother | Self::RotateItself => {
                return delegate.rotate(id, RotateOptions::new(Grace::None)).await.map(drop);
            }
            Self::DisableAnother | Self::DisableItself => {
                return delegate.disable(id, "seen").await.map(drop);
            }
            Self::EnableAnother => return delegate.enable(id).await.map(drop),
            Self::RevokeAnother | Self::RevokeItself => return delegate.revoke(id, "lost").await,
        }
        delegate.update(id, update).await.map(drop)
    }
}

async fn create<S: Node>(delegate: &Delegate<'_, S>) -> Result<(), ManageError> {
    delegate.create(delegate.new_key().scopes(scopes("notes.read"))).await.map(drop)
}

impl Wide {
    async fn make<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Outcome {
        match self.owner_change(cast) {
            Some(change) => {
                store.change_owner(change.by(cast.actor(who))).await.map_err(|error| error.kind())
            }
            None => self.make_of_keys(store, cast, who).await.map_err(|error| kind_of(&error)),
        }
    }

    async fn make_of_keys<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Result<(), ManageError> {
        let manager = cast.manager(store.clone()).acting_for(cast.actor(who));
        let target = cast.household(who).target.id();
        let new = || NewKey::new(Owner::organization(ACME)).scopes(scopes("notes.read"));
        match self {
            Self::Create => manager.create(new()).await.map(drop),
            Self::Import => manager.import(Digester::sha256().digest(b"text"), new()).await.map(drop),
            Self::ImportText => manager.import_text("a text made elsewhere", new()).await.map(drop),
            Self::Update => {
                let mut update = KeyUpdate::default();
                update.scopes = Some(scopes("*"));
                manager.update(target, update).await.map(drop)
            }
            Self::Rotate => manager.rotate(target, RotateOptions::new(Grace::None)).await.map(drop),
            Self::Replace => {
                let owner = Owner::project(Organization::new(ACME), "sink");
                manager.create_exclusive(&KeyFilter::of_owner(&owner), NewKey::new(owner)).await.map(drop)
            }
            Self::Disable => manager.disable(target, "seen").await.map(drop),
            Self::Enable => manager.enable(target).await.map(drop),
            Self::Revoke => manager.revoke(target, "lost").await,
            Self::RevokeAll => manager.revoke_all(&KeyFilter::of_organization(ACME), "lost").await.map(drop),
            Self::RevokeBatch => {
                let batch = KeyBatch::first(9, KeyFilter::of_organization(ACME));
                manager.revoke_batch(batch, "lost").await.map(drop)
            }
            _ => manager.purge_ended(START).await.map(drop),
        }
    }

    fn owner_change(self, cast: &Cast) -> Option<OwnerChange> {
        let mut acme = Organization::new(ACME);
        acme.disabled = true;
        Some(match self {
            Self::PutOrganization => OwnerChange::put_organization(Organization::new("globex")),
            Self::DisableOrganization => OwnerChange::put_organization(acme),
            Self::DeleteOrganization => OwnerChange::delete_organization(ACME, revocation()),
            Self::PutUser => OwnerChange::put_user("eve@example.com"),
            Self::SetOwnPassword => OwnerChange::set_password(ANN, Some(cast.other_password.clone())),
            Self::SetPassword => OwnerChange::set_password(BOB, Some(cast.other_password.clone())),
            Self::DeleteUser => OwnerChange::delete_user(BOB, revocation()),
            Self::PutMembership => OwnerChange::put_membership(BOB, role("*")),
            Self::DeleteMembership => OwnerChange::delete_membership(BOB, ACME),
            Self::PutProject => OwnerChange::put_project(ACME, "new"),
            Self::DeleteProject => OwnerChange::delete_project(ACME, "sink", revocation()),
            Self::Purge => OwnerChange::purge_owner(&Owner::project(acme, "gone")),
            _ => return None,
        })
    }
}

pub(crate) fn kind_of(error: &ManageError) -> BackendErrorKind {
    match error.kind() {
        ManageErrorKind::Invalid => BackendErrorKind::Invalid,
        ManageErrorKind::NotFound => BackendErrorKind::NotFound,
        ManageErrorKind::Forbidden => BackendErrorKind::Forbidden,
        ManageErrorKind::Conflict => BackendErrorKind::Conflict,
        _ => BackendErrorKind::Unavailable,
    }
}
