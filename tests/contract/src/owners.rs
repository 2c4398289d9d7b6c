//! Owners of keys, and the effects of their changes on keys.

use tower_api_key::backend::{
    BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate, OwnerChange, OwnerStore, WriteBack,
};
use tower_api_key::owner::{Membership, Organization, PasswordHash, Project, User};
use tower_api_key::record::KeyState;
use tower_api_key::reject::{Forbidden, Reason};
use tower_api_key::{Owner, Record, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples;

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";

/// Both organizations, two people, one project for each organization. Ann is a member of both.
async fn people<S: OwnerStore>(store: &S) {
    for organization in ["acme", "other"] {
        store.change_owner(OwnerChange::put_organization(Organization::new(organization))).await.unwrap();
        store.change_owner(OwnerChange::put_project(organization, "smart-sink")).await.unwrap();
    }
    for email in [ANN, BOB] {
        store.change_owner(OwnerChange::put_user(email)).await.unwrap();
        store.change_owner(OwnerChange::put_membership(email, role("acme", "reader"))).await.unwrap();
    }
    store.change_owner(OwnerChange::put_membership(ANN, role("other", "admin"))).await.unwrap();
}

fn role(organization: &str, role: &str) -> Membership {
    Membership::new(Organization::new(organization), role, Scopes::new([format!("{role}.*")]).unwrap())
}

fn closed(id: &str) -> Organization {
    let mut organization = Organization::new(id);
    organization.disabled = true;
    organization
}

/// A key of this owner, with its name for a text.
async fn key<S: KeyStore>(store: &S, name: &str, owner: Owner) -> Record {
    let mut record = samples::plain(name);
    record.owner = owner;
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    record
}

async fn state<S: KeyStore>(store: &S, name: &str) -> KeyState {
    let record = store.get(&samples::id(name)).await.unwrap().unwrap();
    record.state(Timestamp::from_unix_millis(0))
}

pub async fn owners_read_back<S: OwnerStore>(store: S) {
    let mut acme = closed("Österreich's \"acme\" \\");
    acme.requires_sso = true;
    store.change_owner(OwnerChange::put_organization(acme.clone())).await.unwrap();
    assert_eq!(store.organization(&acme.id).await.unwrap(), Some(acme.clone()));
    assert_eq!(store.organization("acme").await.unwrap(), None);

    store.change_owner(OwnerChange::put_user("Ann.O'Neil+tag@EXAMPLE.com")).await.unwrap();
    let email = "ann.o'neil+tag@example.com";
    assert_eq!(store.find_user(email).await.unwrap(), Some(User::new(email, [])));
    assert_eq!(store.find_user("unknown@example.com").await.unwrap(), None);

    let membership = Membership::new(acme.clone(), "größe \"1\"", Scopes::parse("a'b;-- notes.*").unwrap());
    store.change_owner(OwnerChange::put_membership(email, membership.clone())).await.unwrap();
    let user = User::new(email, [membership]);
    assert_eq!(store.find_user(email).await.unwrap(), Some(user.clone()));
    assert_eq!(store.members(&acme.id, None, 9).await.unwrap(), [user]);

    store.change_owner(OwnerChange::put_project(&acme.id, "proj/1")).await.unwrap();
    let project = Project::new(acme, "proj/1");
    let own = &*project.organization.id;
    assert_eq!(store.project(own, "proj/1").await.unwrap().as_ref(), Some(&project));
    assert_eq!(store.projects(own, None, 9).await.unwrap(), std::slice::from_ref(&project));
    for (organization, id) in [(own, "proj/2"), (own, ""), ("acme", "proj/1"), ("", "")] {
        assert_eq!(store.project(organization, id).await.unwrap(), None, "{organization} {id}");
    }
    assert_eq!(store.projects("acme", None, 9).await.unwrap(), []);
    assert_eq!(store.members("acme", None, 9).await.unwrap(), []);
}

pub async fn what_is_put_twice_is_there_once_and_as_it_was_put_last<S: OwnerStore>(store: S) {
    people(&store).await;
    people(&store).await;
    store.change_owner(OwnerChange::put_membership(ANN, role("acme", "writer"))).await.unwrap();
    store.change_owner(OwnerChange::put_organization(closed("acme"))).await.unwrap();
    let ann = store.find_user(ANN).await.unwrap().unwrap();
    let roles: Vec<_> = ann.memberships.iter().map(|own| (&*own.organization.id, &*own.role)).collect();
    assert_eq!(roles, [("acme", "writer"), ("other", "admin")]);
    assert!(ann.memberships[0].organization.disabled);
    assert_eq!(store.projects("acme", None, 9).await.unwrap(), [Project::new(closed("acme"), "smart-sink")]);
}

pub async fn what_is_not_there_can_be_neither_changed_nor_referred_to<S: OwnerStore>(store: S) {
    people(&store).await;
    let gone = || samples::revocation(1, "gone");
    let errors = [
        store.change_owner(OwnerChange::put_membership("unknown@example.com", role("acme", "reader"))).await,
        store.change_owner(OwnerChange::put_membership(ANN, role("nowhere", "reader"))).await,
        store.change_owner(OwnerChange::put_project("nowhere", "p")).await,
        store.change_owner(OwnerChange::set_password("unknown@example.com", None)).await,
        store.change_owner(OwnerChange::delete_membership(BOB, "other")).await,
        store.change_owner(OwnerChange::delete_user("unknown@example.com", gone())).await,
        store.change_owner(OwnerChange::delete_organization("nowhere", gone())).await,
        store.change_owner(OwnerChange::delete_project("acme", "smart", gone())).await,
    ];
    for (index, error) in errors.into_iter().enumerate() {
        assert_eq!(error.unwrap_err().kind(), BackendErrorKind::NotFound, "change {index}");
    }
    assert_eq!(store.find_user(BOB).await.unwrap().unwrap().memberships.len(), 1);
    assert_eq!(store.projects("nowhere", None, 9).await.unwrap(), []);
}

async fn hash_of(store: &impl OwnerStore, email: &str) -> Option<PasswordHash> {
    store.find_user(email).await.unwrap()?.password_hash().cloned()
}

pub async fn a_password_hash_is_replaced_only_while_it_is_the_one_that_was_seen<S: OwnerStore>(store: S) {
    people(&store).await;
    let hash = |salt: &str| PasswordHash::new(&format!("$argon2id$v=19$m=8,t=1,p=1${salt}$aGFzaA")).unwrap();
    let rehash = |from, to| WriteBack::PasswordHash { email: ANN.into(), from, to };
    assert_eq!(hash_of(&store, ANN).await, None);
    store.change_owner(OwnerChange::set_password(ANN, Some(hash("one")))).await.unwrap();
    assert_eq!(hash_of(&store, ANN).await, Some(hash("one")));
    assert_eq!(hash_of(&store, BOB).await, None);
    assert_eq!(hash_of(&store, "unknown@example.com").await, None);

    store.write_back(rehash(hash("one"), hash("two"))).await.unwrap();
    assert_eq!(hash_of(&store, ANN).await, Some(hash("two")));
    store.write_back(rehash(hash("one"), hash("three"))).await.unwrap();
    assert_eq!(hash_of(&store, ANN).await, Some(hash("two")));
    store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    assert_eq!(hash_of(&store, ANN).await, Some(hash("two")), "put again, she stays as she is");
    store.change_owner(OwnerChange::set_password(ANN, None)).await.unwrap();
    store.write_back(rehash(hash("two"), hash("three"))).await.unwrap();
    assert_eq!(hash_of(&store, ANN).await, None);
}

pub async fn members_and_projects_are_listed_in_pages<S: OwnerStore>(store: S) {
    people(&store).await;
    for number in 0..5 {
        let email = format!("m{number}@example.com");
        store.change_owner(OwnerChange::put_user(&email)).await.unwrap();
        store.change_owner(OwnerChange::put_membership(&email, role("acme", "reader"))).await.unwrap();
        store.change_owner(OwnerChange::put_project("acme", &format!("p{number}"))).await.unwrap();
    }
    let (mut members, mut projects) = (Vec::new(), Vec::new());
    loop {
        let after = members.last().map(|user: &User| user.email.clone());
        let page = store.members("acme", after.as_deref(), 3).await.unwrap();
        members.extend(page.clone());
        let after = projects.last().map(|project: &Project| project.id.clone());
        projects.extend(store.projects("acme", after.as_deref(), 3).await.unwrap());
        if page.len() < 3 {
            break;
        }
    }
    let emails: Vec<_> = members.iter().map(|user| &*user.email).collect();
    let more = ["m0@example.com", "m1@example.com", "m2@example.com", "m3@example.com", "m4@example.com"];
    assert_eq!(emails, [[ANN, BOB].as_slice(), &more].concat());
    assert!(members.iter().all(|user| user.memberships.len() == 1));
    let ids: Vec<_> = projects.iter().map(|project| &*project.id).collect();
    assert_eq!(ids, ["p0", "p1", "p2", "p3", "p4", "smart-sink"]);
}

pub async fn a_key_shows_its_owner_as_it_is_now<S: KeyStore + OwnerStore>(store: S) {
    people(&store).await;
    let personal = key(&store, "personal", Owner::user("Ann@Example.com", [])).await;
    let device = key(&store, "device", Owner::project(Organization::new("acme"), "smart-sink")).await;
    let foreign = key(&store, "foreign", Owner::organization("unknown-here")).await;
    store.change_owner(OwnerChange::put_organization(closed("acme"))).await.unwrap();

    let mut reader = role("acme", "reader");
    reader.organization = closed("acme");
    let expected = [
        (personal, Owner::user(ANN, [reader, role("other", "admin")])),
        (device, Owner::project(closed("acme"), "smart-sink")),
        (foreign, Owner::organization("unknown-here")),
    ];
    for (record, owner) in expected {
        assert_eq!(store.find(&record.digest).await.unwrap().unwrap().owner, owner);
        assert_eq!(store.get(&record.id).await.unwrap().unwrap().owner, owner);
        let listed = store.list(&KeyFilter::all(), None, 9).await.unwrap();
        assert!(listed.iter().any(|listed| listed.id == record.id && listed.owner == owner));
    }
}

pub async fn a_key_whose_owner_is_known_can_be_changed<S: KeyStore + OwnerStore>(store: S) {
    people(&store).await;
    store.change_owner(OwnerChange::put_organization(closed("acme"))).await.unwrap();
    for (name, owner) in [("personal", Owner::user(ANN, [])), ("device", Owner::organization("acme"))] {
        let record = key(&store, name, owner).await;
        let mut update = KeyUpdate::default();
        update.name = Some("renamed".into());
        let updated = store.change(KeyChange::update(&record.id, update)).await.unwrap().record.unwrap();
        assert_eq!(store.get(&record.id).await.unwrap(), Some(updated.clone()));
        let successor = format!("{name}-2");
        let rotated = store
            .change(KeyChange::rotate(&record.id, samples::rotation(&successor, 5, Grace::None)))
            .await
            .unwrap()
            .record
            .unwrap();
        assert_eq!(rotated.owner, updated.owner);
        assert_eq!(store.get(&samples::id(&successor)).await.unwrap(), Some(rotated));
    }
}

pub async fn a_removed_member_is_out_of_reach_from_the_next_request_on<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    people(&store).await;
    key(&store, "anns", Owner::user(ANN, [])).await;
    key(&store, "bobs", Owner::user(BOB, [])).await;
    let caller = Caller::of(&store);
    for (name, reach) in [("anns", vec!["acme", "other"]), ("bobs", vec!["acme"])] {
        caller.warm(name).await.unwrap();
        assert_eq!(caller.reach(name).await.unwrap(), reach);
    }
    store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await.unwrap();
    assert_eq!(caller.reach("anns").await.unwrap(), ["other"]);
    assert_eq!(caller.reach("bobs").await.unwrap(), ["acme"]);
    store.change_owner(OwnerChange::put_membership(ANN, role("acme", "writer"))).await.unwrap();
    assert_eq!(caller.reach("anns").await.unwrap(), ["acme", "other"]);
}

pub async fn a_changed_organization_is_in_effect_for_the_very_next_request<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    people(&store).await;
    key(&store, "anns", Owner::user(ANN, [])).await;
    key(&store, "device", Owner::project(Organization::new("acme"), "smart-sink")).await;
    key(&store, "whole", Owner::organization("acme")).await;
    let caller = Caller::of(&store);
    for name in ["anns", "device", "whole"] {
        caller.warm(name).await.unwrap();
    }
    store.change_owner(OwnerChange::put_organization(closed("acme"))).await.unwrap();
    let disabled = Reason::Forbidden(Forbidden::OrganizationDisabled);
    assert_eq!(caller.present("device").await, Err(disabled.clone()));
    assert_eq!(caller.present("whole").await, Err(disabled));
    assert_eq!(caller.reach("anns").await.unwrap(), ["other"]);

    let mut by_sso = Organization::new("acme");
    by_sso.requires_sso = true;
    store.change_owner(OwnerChange::put_organization(by_sso)).await.unwrap();
    assert_eq!(caller.reach("device").await.unwrap(), ["acme"]);
    assert_eq!(caller.reach("anns").await.unwrap(), ["other"]);
}

pub async fn keys_of_an_owner_who_is_gone_are_revoked<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    people(&store).await;
    let project = |organization| Owner::project(Organization::new(organization), "smart-sink");
    let owners = [
        ("anns", Owner::user(ANN, [])),
        ("bobs", Owner::user(BOB, [])),
        ("device", project("acme")),
        ("other-device", project("other")),
        ("whole", Owner::organization("acme")),
        ("other-whole", Owner::organization("other")),
    ];
    for (name, owner) in &owners {
        key(&store, name, owner.clone()).await;
    }
    let caller = Caller::of(&store);
    for (name, _) in &owners {
        caller.warm(name).await.unwrap();
    }
    let gone = || samples::revocation(1, "gone");
    let mut revoked = Vec::new();
    store.change_owner(OwnerChange::delete_user(BOB, gone())).await.unwrap();
    revoked.push("bobs");
    only(&store, &caller, &owners, &revoked).await;
    store.change_owner(OwnerChange::delete_project("acme", "smart-sink", gone())).await.unwrap();
    revoked.push("device");
    only(&store, &caller, &owners, &revoked).await;
    store.change_owner(OwnerChange::delete_organization("other", gone())).await.unwrap();
    revoked.extend(["other-device", "other-whole"]);
    only(&store, &caller, &owners, &revoked).await;

    assert_eq!(store.find_user(BOB).await.unwrap(), None);
    assert_eq!(store.organization("other").await.unwrap(), None);
    assert_eq!(caller.reach("anns").await.unwrap(), ["acme"]);
    // The id is not used again until the owner is purged. The next owner of the id gets nothing of the former one.
    let again =
        store.change_owner(OwnerChange::put_organization(Organization::new("other"))).await.unwrap_err();
    assert_eq!(again.kind(), BackendErrorKind::Conflict);
    only(&store, &caller, &owners, &revoked).await;
    store.change_owner(OwnerChange::purge_owner(&Owner::organization("other"))).await.unwrap();
    store.change_owner(OwnerChange::put_organization(Organization::new("other"))).await.unwrap();
    assert_eq!(store.projects("other", None, 9).await.unwrap(), []);
    assert_eq!(store.members("other", None, 9).await.unwrap(), []);
    let (gone, left): (Vec<_>, Vec<_>) = owners.into_iter().partition(|(name, _)| name.starts_with("other-"));
    for (name, _) in gone {
        assert_eq!(store.get(&samples::id(name)).await.unwrap(), None);
        assert_eq!(caller.present(name).await, Err(Reason::Revoked), "it is remembered");
    }
    only(&store, &caller, &left, &revoked).await;
}

/// Checks that these keys are revoked, and all remaining ones admitted.
async fn only<S>(store: &S, caller: &Caller<S>, owners: &[(&str, Owner)], revoked: &[&str])
where
    S: KeyStore + OwnerStore + Clone,
{
    for (name, _) in owners {
        let expected = if revoked.contains(name) {
            (KeyState::Revoked, Err(Reason::Revoked))
        } else {
            (KeyState::Active, Ok(samples::id(name)))
        };
        assert_eq!((state(store, name).await, caller.present(name).await), expected, "{name}");
    }
}
