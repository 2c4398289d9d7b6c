//! A change is made only if its actor may make it at that moment.

use tower_api_key::backend::{
    Actor, AuditLog, AuditQuery, BackendErrorKind, Grace, KeyBatch, KeyChange, KeyFilter, KeyStore,
    KeyUpdate, OwnerAction, OwnerChange, OwnerStore,
};
use tower_api_key::owner::{Membership, Organization, PasswordHash, User};
use tower_api_key::principal::Resource;
use tower_api_key::{Owner, Record, Requirement, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples::{self, id};

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const LATER: Timestamp = Timestamp::from_unix_millis(10_000);

fn organization(disabled: bool) -> Organization {
    let mut organization = Organization::new("acme");
    organization.disabled = disabled;
    organization
}

fn membership(role: &str) -> Membership {
    Membership::new(organization(false), role, Scopes::parse("notes.read").unwrap())
}

fn hash(salt: &str) -> PasswordHash {
    PasswordHash::new(&format!("$argon2id$v=19$m=8,t=1,p=1${salt}$aGFzaA")).unwrap()
}

/// An organization with a project and two members, and a deleted project.
async fn acme<S: OwnerStore>(store: &S) {
    store.change_owner(OwnerChange::put_organization(organization(false))).await.unwrap();
    for project in ["smart-sink", "deleted"] {
        store.change_owner(OwnerChange::put_project("acme", project)).await.unwrap();
    }
    let change = OwnerChange::delete_project("acme", "deleted", samples::revocation(1, "gone"));
    store.change_owner(change).await.unwrap();
    for email in [ANN, BOB] {
        store.change_owner(OwnerChange::put_user(email)).await.unwrap();
        store.change_owner(OwnerChange::put_membership(email, membership("reader"))).await.unwrap();
    }
    store.change_owner(OwnerChange::set_password(ANN, Some(hash("first")))).await.unwrap();
}

/// A key with all scopes.
async fn strong<S: KeyStore>(store: &S, name: &str, owner: Owner) -> Record {
    let mut record = samples::plain(name);
    (record.owner, record.scopes) = (owner, Scopes::parse("*").unwrap());
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    record
}

/// A change of each kind that has an effect: its name, and its effect on the key `target`.
fn key_changes() -> Vec<KeyChange> {
    let mut update = KeyUpdate::default();
    update.name = Some("renamed".into());
    let revocation = || samples::revocation(1, "by the actor");
    vec![
        KeyChange::insert(samples::plain("inserted")),
        KeyChange::update(&id("target"), update),
        KeyChange::rotate(&id("target"), samples::rotation("rotated", 0, Grace::For(samples::GRACE))),
        KeyChange::insert_exclusive(samples::plain("replaced"), &KeyFilter::all(), revocation()),
        KeyChange::revoke(&id("target"), revocation()),
        KeyChange::revoke_all(&KeyFilter::all(), revocation()),
        KeyChange::revoke_batch(KeyBatch::first(9, KeyFilter::all()), revocation()),
        KeyChange::purge_ended(LATER),
    ]
}

/// A change of each kind.
fn owner_changes() -> Vec<OwnerChange> {
    let gone = || samples::revocation(1, "by the actor");
    vec![
        OwnerChange::put_organization(Organization::new("new")),
        OwnerChange::put_user("new@example.com"),
        OwnerChange::set_password(ANN, Some(hash("second"))),
        OwnerChange::set_password(ANN, None),
        OwnerChange::rehash(ANN, hash("first"), hash("third")),
        OwnerChange::put_membership(ANN, membership("writer")),
        OwnerChange::delete_membership(ANN, "acme"),
        OwnerChange::put_project("acme", "smart-lamp"),
        OwnerChange::delete_project("acme", "smart-sink", gone()),
        OwnerChange::delete_user(BOB, gone()),
        OwnerChange::purge_owner(&Owner::project(organization(false), "deleted")),
        OwnerChange::delete_organization("acme", gone()),
    ]
}

/// All state that a change may affect.
#[derive(Debug, PartialEq)]
struct Everything {
    keys: Vec<Record>,
    organizations: Vec<Option<Organization>>,
    people: Vec<Option<User>>,
    projects: Vec<String>,
}

async fn everything<S: KeyStore + OwnerStore>(store: &S) -> Everything {
    let (mut organizations, mut people) = (Vec::new(), Vec::new());
    for organization in ["acme", "new", "theirs"] {
        organizations.push(store.organization(organization).await.unwrap());
    }
    for email in [ANN, BOB, "new@example.com"] {
        people.push(store.find_user(email).await.unwrap());
    }
    let projects = store.projects("acme", None, 9).await.unwrap();
    Everything {
        keys: store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap(),
        organizations,
        people,
        projects: projects.iter().map(|project| project.id.to_string()).collect(),
    }
}

/// Checks that an actor may make none of the changes, and that they leave no trace.
async fn changes_nothing<S: KeyStore + OwnerStore>(store: &S, actor: &Actor) {
    let before = everything(store).await;
    for change in key_changes() {
        let refused = store.change(change.clone().by(actor.clone())).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{change:?}: {refused}");
    }
    for change in owner_changes() {
        let refused = store.change_owner(change.clone().by(actor.clone())).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{change:?}: {refused}");
    }
    assert_eq!(everything(store).await, before);
}

/// Creates the keys to change: one in force, and one that has ended.
async fn targets<S: KeyStore>(store: &S) {
    store.change(KeyChange::insert(samples::plain("target"))).await.unwrap();
    let mut ended = samples::plain("ended");
    ended.expires_at = Some(Timestamp::from_unix_millis(5_000));
    store.change(KeyChange::insert(ended)).await.unwrap();
}

pub async fn each_change_is_made_by_an_actor_who_is_in_force<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    acme(&store).await;
    let caller = Caller::of(&store);
    for (number, change) in key_changes().into_iter().enumerate() {
        for record in store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap() {
            store.change(KeyChange::revoke(&record.id, samples::revocation(0, "before"))).await.unwrap();
        }
        store.change(KeyChange::purge_ended(LATER)).await.unwrap();
        targets(&store).await;
        // An actor of another organization, whose key matches all filters here.
        let name = format!("actor_{number}");
        strong(&store, &name, Owner::organization("theirs")).await;
        let actor = caller.admit(&name).await.unwrap().actor();
        let before = everything(&store).await;
        store.change(change.clone().by(actor)).await.unwrap();
        assert_ne!(everything(&store).await, before, "{change:?}");
    }
    strong(&store, "actor", Owner::organization("theirs")).await;
    let actor = caller.admit("actor").await.unwrap().actor();
    for change in owner_changes() {
        if let OwnerAction::Rehash(..) = change.action {
            store.change_owner(OwnerChange::set_password(ANN, Some(hash("first")))).await.unwrap();
        }
        let before = everything(&store).await;
        store.change_owner(change.clone().by(actor.clone())).await.unwrap();
        let is_seen_elsewhere = matches!(change.action, OwnerAction::PurgeOwner(_));
        assert_eq!(everything(&store).await != before, !is_seen_elsewhere, "{change:?}");
    }
}

pub async fn an_actor_who_is_not_in_force_changes_nothing<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    acme(&store).await;
    targets(&store).await;
    let caller = Caller::of(&store);
    let own = async |name: &str, owner: Owner| {
        let key = strong(&store, name, owner).await;
        (key, caller.admit(name).await.unwrap().actor())
    };
    let theirs = || Owner::organization("theirs");
    let end = |at: i64| {
        let mut update = KeyUpdate::default();
        update.expires_at = Some(Some(Timestamp::from_unix_millis(at)));
        update
    };
    let (key, revoked) = own("revoked", theirs()).await;
    store.change(KeyChange::revoke(&key.id, samples::revocation(1, "lost"))).await.unwrap();
    changes_nothing(&store, &revoked).await;

    let (key, expired) = own("expired", theirs()).await;
    store.change(KeyChange::update(&key.id, end(0))).await.unwrap();
    changes_nothing(&store, &expired).await;

    let (key, deleted) = own("deleted", theirs()).await;
    store.change(KeyChange::revoke(&key.id, samples::revocation(1, "lost"))).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(2))).await.unwrap();
    changes_nothing(&store, &deleted).await;
    // Another key with the same id is not the actor.
    let mut other = samples::plain("deleted");
    other.digest = samples::digest("another");
    store.change(KeyChange::insert(other)).await.unwrap();
    changes_nothing(&store, &deleted).await;

    let (key, rotated) = own("old", theirs()).await;
    store.change(KeyChange::rotate(&key.id, samples::rotation("new", 0, Grace::None))).await.unwrap();
    changes_nothing(&store, &rotated).await;

    let (key, weaker) = own("weaker", theirs()).await;
    let weaker = weaker.requires(Requirement::all_of(["notes.write"]).unwrap());
    let mut less = KeyUpdate::default();
    less.scopes = Some(Scopes::parse("notes.read").unwrap());
    store.change(KeyChange::update(&key.id, less)).await.unwrap();
    changes_nothing(&store, &weaker).await;

    let (_, disabled) = own("disabled", Owner::project(organization(false), "smart-sink")).await;
    store.change_owner(OwnerChange::put_organization(organization(true))).await.unwrap();
    changes_nothing(&store, &disabled).await;
    store.change_owner(OwnerChange::put_organization(organization(false))).await.unwrap();

    let (_, gone) = own("gone", Owner::user(BOB, [])).await;
    store.change_owner(OwnerChange::delete_user(BOB, samples::revocation(1, "gone"))).await.unwrap();
    changes_nothing(&store, &gone).await;
}

pub async fn a_batch_leaves_out_the_key_of_its_actor<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    acme(&store).await;
    targets(&store).await;
    let caller = Caller::of(&store);
    strong(&store, "actor", Owner::organization("acme")).await;
    let actor = caller.admit("actor").await.unwrap().actor();
    let all = KeyBatch::first(9, KeyFilter::all());
    for expected in [2, 0] {
        let batch = KeyChange::revoke_batch(all.clone(), samples::revocation(1, "all")).by(actor.clone());
        assert_eq!(store.change(batch).await.unwrap().keys, expected);
    }
    assert_eq!(store.get(&id("actor")).await.unwrap().unwrap().revoked, None);
}

pub async fn what_a_change_does_to_its_own_actor_does_not_count<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    acme(&store).await;
    let caller = Caller::of(&store);
    let own = async |name: &str, owner: Owner| {
        strong(&store, name, owner).await;
        caller.admit(name).await.unwrap().actor().requires(Requirement::all_of(["keys"]).unwrap())
    };
    let changes = [
        KeyChange::rotate(&id("a"), samples::rotation("a_successor", 0, Grace::None)),
        KeyChange::revoke(&id("b"), samples::revocation(1, "mine")),
        KeyChange::revoke_all(&KeyFilter::of_organization("own"), samples::revocation(1, "mine")),
        KeyChange::insert_exclusive(
            samples::plain("d_successor"),
            &KeyFilter::of_organization("own"),
            samples::revocation(1, "mine"),
        ),
        KeyChange::update(&id("e"), {
            let mut update = KeyUpdate::default();
            update.scopes = Some(Scopes::default());
            update
        }),
    ];
    for (name, change) in ["a", "b", "c", "d", "e"].into_iter().zip(changes) {
        let actor = own(name, Owner::organization("own")).await;
        let change = change.by(actor);
        store.change(change.clone()).await.unwrap();
        // The effects count from then on.
        let again = store.change(change).await.unwrap_err();
        assert_eq!(again.kind(), BackendErrorKind::Forbidden, "{name}: {again}");
    }
    let read = Requirement::all_of(["notes.read"]).unwrap();
    let place = Resource::Organization("acme");
    let person = own("person", Owner::user(ANN, [])).await.requires_for(read, place);
    let whole = own("whole", Owner::organization("acme")).await;
    let closing = own("closing", Owner::organization("theirs")).await;
    let mut closed = Organization::new("theirs");
    closed.disabled = true;
    let other = own("other", Owner::user(BOB, [])).await;
    let gone = || samples::revocation(1, "mine");
    for (actor, change) in [
        (person, OwnerChange::delete_membership(ANN, "acme")),
        (other, OwnerChange::delete_user(BOB, gone())),
        (closing, OwnerChange::put_organization(closed)),
        (whole, OwnerChange::delete_organization("acme", gone())),
    ] {
        let change = change.by(actor);
        store.change_owner(change.clone()).await.unwrap();
        let again = store.change_owner(change).await.unwrap_err();
        assert_eq!(again.kind(), BackendErrorKind::Forbidden, "{again}");
    }
    assert_eq!(store.organization("acme").await.unwrap(), None);
}

pub async fn what_an_actor_may_do_elsewhere_does_not_count<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    acme(&store).await;
    targets(&store).await;
    let caller = Caller::of(&store);
    strong(&store, "person", Owner::user(ANN, [])).await;
    let principal = caller.admit("person").await.unwrap();
    let in_acme = |scope: &str| {
        let place = Resource::Organization("acme");
        principal.actor().requires_for(Requirement::all_of([scope]).unwrap(), place)
    };
    changes_nothing(&store, &in_acme("notes.write")).await;
    let rename = || key_changes().swap_remove(1).by(in_acme("notes.read"));
    store.change(rename()).await.unwrap();
    let mut by_sso = organization(false);
    by_sso.requires_sso = true;
    for closed in [organization(true), by_sso] {
        store.change_owner(OwnerChange::put_organization(closed)).await.unwrap();
        changes_nothing(&store, &in_acme("notes.read")).await;
    }
    store.change_owner(OwnerChange::put_organization(organization(false))).await.unwrap();
    store.change(rename()).await.unwrap();
    store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await.unwrap();
    changes_nothing(&store, &in_acme("notes.read")).await;
}

pub async fn a_change_that_is_rejected_has_no_entry<S>(store: S)
where
    S: KeyStore + OwnerStore + AuditLog + Clone,
{
    acme(&store).await;
    targets(&store).await;
    let key = strong(&store, "revoked", Owner::organization("theirs")).await;
    let actor = Caller::of(&store).admit("revoked").await.unwrap().actor();
    store.change(KeyChange::revoke(&key.id, samples::revocation(1, "lost"))).await.unwrap();
    let entries = async || store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap();
    let before = entries().await;
    changes_nothing(&store, &actor).await;
    assert_eq!(entries().await, before);
}

/// Checks that an actor may make none of the changes of keys, and that they leave no trace.
async fn changes_no_key<S: KeyStore>(store: &S, actor: &Actor) {
    let keys = async || store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let before = keys().await;
    for change in key_changes() {
        let refused = store.change(change.clone().by(actor.clone())).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::Forbidden, "{change:?}: {refused}");
    }
    assert_eq!(keys().await, before);
}

pub async fn a_key_that_may_not_make_a_change_changes_no_key<S: KeyStore + Clone>(store: S) {
    targets(&store).await;
    let caller = Caller::of(&store);
    let own = async |name: &str| {
        strong(&store, name, Owner::organization("theirs")).await;
        caller.admit(name).await.unwrap().actor()
    };
    let active = own("active").await;
    store.change(key_changes().swap_remove(1).by(active.clone())).await.unwrap();
    assert_eq!(&*store.get(&id("target")).await.unwrap().unwrap().name, "renamed");

    let revoked = own("revoked").await;
    store.change(samples::revoke("revoked", 1, "lost")).await.unwrap();
    changes_no_key(&store, &revoked).await;

    let expired = own("expired").await;
    let end = KeyUpdate::new().expires_at(Timestamp::from_unix_millis(0));
    store.change(KeyChange::update(&id("expired"), end)).await.unwrap();
    changes_no_key(&store, &expired).await;

    let weaker = active.requires(Requirement::all_of(["notes.write"]).unwrap());
    let less = KeyUpdate::new().scopes(Scopes::parse("notes.read").unwrap());
    store.change(KeyChange::update(&id("active"), less)).await.unwrap();
    changes_no_key(&store, &weaker).await;

    let deleted = own("deleted").await;
    store.change(samples::revoke("deleted", 1, "lost")).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(2))).await.unwrap();
    changes_no_key(&store, &deleted).await;
    // Another key with the same id is not the actor.
    let mut other = samples::plain("deleted");
    other.digest = samples::digest("another");
    store.change(KeyChange::insert(other)).await.unwrap();
    changes_no_key(&store, &deleted).await;
}
