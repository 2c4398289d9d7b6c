//! Every way in which an actor loses its authority.

use std::time::Duration;

use tower_api_key::Owner;
use tower_api_key::backend::{Grace, KeyChange, KeyUpdate, OwnerChange};
use tower_api_key::manage::RotateOptions;
use tower_api_key::owner::Organization;
use tower_api_key::record::Disabling;

use crate::interleavings::cast::{ACME, ANN, Cast, END, SCOPES, Who, role, scopes};
use crate::interleavings::changes::{Change, Node, Outcome, kind_of};
use support::{Key, START, revocation};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Revoked,
    RevokedByPeer,
    Disabled,
    Expired,
    AllScopesTaken,
    RequiredScopeTaken,
    /// A scope is withdrawn that nothing requires, but that the changes grant.
    GrantedScopeTaken,
    RotatedByItself,
    RotatedByPeer,
    RotatedByCode,
    Purged,
    KeyGivenAway,
    OrganizationDisabled,
    OrganizationDeleted,
    OrganizationGivenAway,
    SsoRequired,
    Removed,
    RoleReduced,
    PasswordChanged,
    PersonDeleted,
    PersonGivenAway,
}

const LOSSES: [Loss; 21] = [
    Loss::Revoked,
    Loss::RevokedByPeer,
    Loss::Disabled,
    Loss::Expired,
    Loss::AllScopesTaken,
    Loss::RequiredScopeTaken,
    Loss::GrantedScopeTaken,
    Loss::RotatedByItself,
    Loss::RotatedByPeer,
    Loss::RotatedByCode,
    Loss::Purged,
    Loss::KeyGivenAway,
    Loss::OrganizationDisabled,
    Loss::OrganizationDeleted,
    Loss::OrganizationGivenAway,
    Loss::SsoRequired,
    Loss::Removed,
    Loss::RoleReduced,
    Loss::PasswordChanged,
    Loss::PersonDeleted,
    Loss::PersonGivenAway,
];

impl Loss {
    /// The losses after which this actor may not make this change any more.
    pub(crate) fn of(who: Who, change: Change) -> impl Iterator<Item = Self> {
        LOSSES.into_iter().filter(move |loss| loss.takes_from(who, change))
    }

    fn takes_from(self, who: Who, change: Change) -> bool {
        match self {
            Self::GrantedScopeTaken => {
                who != Who::Person && matches!(change, Change::Within(change) if !change.is_own())
            }
            _ if self.is_of_keys() => who != Who::Person,
            Self::OrganizationDisabled | Self::OrganizationDeleted | Self::OrganizationGivenAway => {
                // Within the bounds of a person's delegate, organizations do not count, except for a password, which has no
                // scopes of its own.
                who != Who::PersonsKey || matches!(change, Change::For(_))
            }
            Self::SsoRequired | Self::Removed | Self::RoleReduced => {
                who == Who::Person || (who == Who::PersonsKey && matches!(change, Change::For(_)))
            }
            Self::PasswordChanged => who == Who::Person,
            _ => who != Who::Key,
        }
    }

    pub(crate) fn is_of_keys(self) -> bool {
        !matches!(
            self,
            Self::OrganizationDisabled
                | Self::OrganizationDeleted
                | Self::OrganizationGivenAway
                | Self::SsoRequired
                | Self::Removed
                | Self::RoleReduced
                | Self::PasswordChanged
                | Self::PersonDeleted
                | Self::PersonGivenAway
        )
    }

    /// Performs the loss. Its first effect withdraws the authority; later ones must not restore it.
    pub(crate) async fn take_place<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Outcome {
        match self {
            Self::RevokedByPeer | Self::RotatedByItself | Self::RotatedByPeer | Self::RotatedByCode => {
                self.by_manager(store, cast, who).await
            }
            _ if self.is_of_keys() => self.of_key(store, cast, who).await,
            _ => self.of_owner(store, cast).await,
        }
    }

    async fn by_manager<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Outcome {
        let manager = cast.manager(store.clone());
        let own = cast.household(who).own.id();
        let (by_itself, by_peer) = (cast.caller(who), cast.peer(who));
        let done = match self {
            Self::RevokedByPeer => manager.on_behalf_of(by_peer).revoke(own, "lost").await,
            Self::RotatedByItself => {
                let replacement = RotateOptions::new(Grace::None);
                manager.on_behalf_of(by_itself).rotate(own, replacement).await.map(drop)
            }
            Self::RotatedByPeer => {
                let replacement = RotateOptions::new(Grace::None);
                manager.on_behalf_of(by_peer).rotate(own, replacement).await.map(drop)
            }
            _ => manager.rotate(own, RotateOptions::new(Grace::For(Duration::ZERO))).await.map(drop),
        };
        done.map_err(|error| kind_of(&error))
    }

    async fn of_key<S: Node>(self, store: &S, cast: &Cast, who: Who) -> Outcome {
        let own = &cast.household(who).own;
        let mut update = KeyUpdate::default();
        update.scopes = match self {
            Self::AllScopesTaken => Some(scopes("")),
            Self::RequiredScopeTaken => Some(scopes("notes.read")),
            Self::GrantedScopeTaken => Some(scopes("keys.write")),
            _ => None,
        };
        let done = async {
            match self {
                Self::Expired => store.outside(|| cast.clock.set_wall(END)).await,
                Self::Revoked => drop(store.change(KeyChange::revoke(own.id(), revocation())).await?),
                Self::Disabled => {
                    store.change(KeyChange::disable(own.id(), Disabling::new(START, "seen"))).await?;
                }
                Self::Purged | Self::KeyGivenAway => {
                    store.change(KeyChange::revoke(own.id(), revocation())).await?;
                    let change = KeyChange::purge_ended(START.saturating_add(Duration::from_millis(1)));
                    store.change(change).await?;
                    if self == Self::KeyGivenAway {
                        store.change(KeyChange::insert(another_with_id_of(own))).await?;
                    }
                }
                _ => drop(store.change(KeyChange::update(own.id(), update)).await?),
            }
            Ok(())
        };
        done.await.map_err(|error: tower_api_key::backend::BackendError| error.kind())
    }

    async fn of_owner<S: Node>(self, store: &S, cast: &Cast) -> Outcome {
        let done = async {
            match self {
                Self::OrganizationDisabled | Self::SsoRequired => {
                    let mut acme = Organization::new(ACME);
                    acme.disabled = self == Self::OrganizationDisabled;
                    acme.requires_sso = self == Self::SsoRequired;
                    store.change_owner(OwnerChange::put_organization(acme)).await?;
                }
                Self::OrganizationDeleted => {
                    store.change_owner(OwnerChange::delete_organization(ACME, revocation())).await?;
                }
                Self::OrganizationGivenAway => {
                    store.change_owner(OwnerChange::delete_organization(ACME, revocation())).await?;
                    store.change_owner(OwnerChange::purge_owner(&Owner::organization(ACME))).await?;
                    store.change_owner(OwnerChange::put_organization(Organization::new(ACME))).await?;
                }
                Self::Removed => store.change_owner(OwnerChange::delete_membership(ANN, ACME)).await?,
                Self::RoleReduced => {
                    store.change_owner(OwnerChange::put_membership(ANN, role("notes.read"))).await?;
                }
                Self::PasswordChanged => {
                    let change = OwnerChange::set_password(ANN, Some(cast.other_password.clone()));
                    store.change_owner(change).await?;
                }
                Self::PersonDeleted => {
                    store.change_owner(OwnerChange::delete_user(ANN, revocation())).await?;
                }
                _ => {
                    store.change_owner(OwnerChange::delete_user(ANN, revocation())).await?;
                    store.change_owner(OwnerChange::purge_owner(&Owner::user(ANN, []))).await?;
                    store.change_owner(OwnerChange::put_user(ANN)).await?;
                    store.change_owner(OwnerChange::put_membership(ANN, role(SCOPES))).await?;
                    let change = OwnerChange::set_password(ANN, Some(cast.other_password.clone()));
                    store.change_owner(change).await?;
                }
            }
            Ok(())
        };
        done.await.map_err(|error: tower_api_key::backend::BackendError| error.kind())
    }
}

fn another_with_id_of(key: &Key) -> tower_api_key::Record {
    let owner = key.record.owner.clone();
    let other = Key::mint().scopes(SCOPES);
    other.with(|record| (record.id, record.owner) = (key.id().clone(), owner)).record
}
