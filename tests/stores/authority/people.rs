//! People who authenticate by password.

use http::StatusCode;
use serde_json::json;
use tower_api_key::backend::{Actor, BackendErrorKind, KeyBatch, KeyFilter, OwnerChange, WriteBack};
use tower_api_key::manage::ManageErrorKind;
use tower_api_key::owner::{Membership, Organization, PasswordHash};
use tower_api_key::principal::Resource;

use crate::authority::stores::Store;
use crate::authority::world::{ANN, BOB, World, admit, basic, needs, of, revocation, scopes};

const SECRET: &str = "correct horse";

/// What happens to Ann between the head of her request and the effect.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Password,
    NoPassword,
    Membership,
    Role,
    OrganizationDisabled,
    SingleSignOn,
    Deletion,
}

impl Loss {
    const ALL: [Self; 7] = [
        Self::Password,
        Self::NoPassword,
        Self::Membership,
        Self::Role,
        Self::OrganizationDisabled,
        Self::SingleSignOn,
        // The address cannot be reused for her, so this comes last.
        Self::Deletion,
    ];

    async fn befall<S: Store>(self, world: &World<S>) {
        let store = &world.store;
        match self {
            Self::Password => {
                store.change_owner(OwnerChange::set_password(ANN, Some(hash(world, "another").await))).await
            }
            Self::NoPassword => store.change_owner(OwnerChange::set_password(ANN, None)).await,
            Self::Membership => store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await,
            Self::Role => store.change_owner(OwnerChange::put_membership(ANN, role("keys"))).await,
            Self::OrganizationDisabled => {
                let mut closed = Organization::new("acme");
                closed.disabled = true;
                store.change_owner(OwnerChange::put_organization(closed)).await
            }
            Self::SingleSignOn => {
                let mut closed = Organization::new("acme");
                closed.requires_sso = true;
                store.change_owner(OwnerChange::put_organization(closed)).await
            }
            Self::Deletion => store.change_owner(OwnerChange::delete_user(ANN, revocation("left"))).await,
        }
        .unwrap();
    }
}

async fn hash<S: Store>(world: &World<S>, secret: &str) -> PasswordHash {
    world.passwords.hash(secret).await.unwrap()
}

fn role(granted: &str) -> Membership {
    Membership::new(Organization::new("acme"), "admin", scopes(granted))
}

/// Makes Ann an administrator with a password, next to Bob, and sends her request, which requires a scope of her role.
async fn ann<S: Store>(world: &World<S>) -> Actor {
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    for email in [ANN, BOB] {
        world.store.change_owner(OwnerChange::put_user(email)).await.unwrap();
    }
    world.store.change_owner(OwnerChange::put_membership(ANN, role("keys members.write"))).await.unwrap();
    world.store.change_owner(OwnerChange::set_password(ANN, Some(hash(world, SECRET).await))).await.unwrap();
    let caller = admit(&world.authenticator, &basic(ANN, SECRET)).await;
    caller.actor().requires_for(needs("members.write"), Resource::Organization("acme"))
}

/// The changes of owners that Ann requests.
async fn changes<S: Store>(world: &World<S>) -> Vec<OwnerChange> {
    vec![
        OwnerChange::put_membership(BOB, role("keys")),
        OwnerChange::put_project("acme", "smart-sink"),
        OwnerChange::delete_membership(BOB, "acme"),
        OwnerChange::delete_user(BOB, revocation("by ann")),
        OwnerChange::set_password(ANN, Some(hash(world, "the attacker's").await)),
    ]
}

pub(crate) async fn a_person_without_the_required_scope_changes_nothing<S: Store>(world: World<S>) {
    let key = world.grant("acme", "keys").await;
    for loss in Loss::ALL {
        let actor = ann(&world).await;
        world.store.change_owner(OwnerChange::put_membership(BOB, role("keys"))).await.unwrap();
        loss.befall(&world).await;
        let before = world.snapshot().await;
        for change in changes(&world).await {
            let refused = world.store.change_owner(change.clone().by(actor.clone())).await.unwrap_err();
            assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{loss:?} {change:?}: {refused}");
        }
        let manager = world.manager.clone().acting_for(actor);
        for rejected in [
            manager.create(of("acme")).await.map(drop),
            manager.revoke(key.id(), "by ann").await,
            manager.revoke_all(&KeyFilter::all(), "by ann").await.map(drop),
            manager.revoke_batch(KeyBatch::first(9, KeyFilter::all()), "by ann").await.map(drop),
        ] {
            let rejected = rejected.unwrap_err();
            assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{loss:?}: {rejected}");
        }
        assert_eq!(world.snapshot().await, before, "{loss:?}");
    }
}

pub(crate) async fn a_person_whose_rights_are_as_they_were_changes_owners_and_keys<S: Store>(
    world: World<S>,
) {
    let key = world.grant("acme", "keys").await;
    let actor = ann(&world).await;
    let manager = world.manager.clone().acting_for(actor.clone());
    let made = manager.create(of("acme")).await.unwrap();
    assert_eq!(made.record().created_by.as_deref(), actor.name());
    manager.revoke(key.id(), "by ann").await.unwrap();
    for change in changes(&world).await {
        world.store.change_owner(change.by(actor.clone())).await.unwrap();
    }
    assert_eq!(world.store.find_user(BOB).await.unwrap(), None);
    assert_eq!(world.store.projects("acme", None, 9).await.unwrap().len(), 1);
    // She has set another password, so requests with the former one fail.
    let again = OwnerChange::set_password(ANN, Some(hash(&world, "once more").await));
    let refused = world.store.change_owner(again.by(actor)).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{refused}");
    admit(&world.authenticator, &basic(ANN, "the attacker's")).await;
}

async fn hash_of_ann<S: Store>(world: &World<S>) -> PasswordHash {
    let ann = world.store.find_user(ANN).await.unwrap().unwrap();
    ann.password_hash().unwrap().clone()
}

fn rehash(from: PasswordHash, to: PasswordHash) -> WriteBack {
    WriteBack::PasswordHash { email: ANN.into(), from, to }
}

pub(crate) async fn a_hash_of_the_same_password_is_no_other_password<S: Store>(world: World<S>) {
    let actor = ann(&world).await;
    for _ in 0..2 {
        let from = hash_of_ann(&world).await;
        let renewed = hash(&world, SECRET).await;
        world.store.write_back(rehash(from, renewed.clone())).await.unwrap();
        assert_eq!(hash_of_ann(&world).await, renewed);
        let change = OwnerChange::put_membership(BOB, role("keys"));
        world.store.change_owner(change.by(actor.clone())).await.unwrap();
        world.manager.clone().acting_for(actor.clone()).create(of("acme")).await.unwrap();
    }
    // A further password differs from it as well.
    Loss::Password.befall(&world).await;
    let from = hash_of_ann(&world).await;
    world.store.write_back(rehash(from, hash(&world, "another").await)).await.unwrap();
    let change = OwnerChange::put_membership(BOB, role("keys"));
    let refused = world.store.change_owner(change.by(actor)).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{refused}");
}

pub(crate) async fn a_key_is_not_made_by_a_person_whose_password_was_changed_meanwhile<S: Store>(
    world: World<S>,
) {
    ann(&world).await;
    let body = json!({ "name": "child" }).to_string();
    let hold = async || world.console.hold(&basic(ANN, SECRET), "POST", "/console/keys", &body).await;
    let (fine, late) = (hold().await, hold().await);
    let made = fine.finish().await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    // The source of passwords does not limit the sources of keys.
    assert!(world.admits(made.body["key"].as_str().unwrap()).await);
    Loss::Password.befall(&world).await;
    let before = world.snapshot().await;
    let answer = late.finish().await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    assert_eq!(world.snapshot().await, before);
}
