//! A delegate ends no last key by which its owner can manage keys, unless it is told to.

use std::time::Duration;

use tokio::task::JoinSet;
use tower_api_key::backend::{Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{Delegate, KeyManager, ManageError, ManageErrorKind, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::record::Disabling;
use tower_api_key::{Environment, KeyFormat, Owner, Principal, Record, Requirement, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples::{GRACE, id, plain, revocation};

/// Callers that end themselves at the same time.
const CALLERS: usize = 8;
const HOUR: Duration = Duration::from_secs(3_600);

fn scopes(list: &str) -> Scopes {
    Scopes::parse(list).unwrap()
}

/// Returns the record of a key that can manage keys.
fn manages(name: &str) -> Record {
    let mut record = plain(name);
    record.scopes = scopes("keys.* notes.read");
    record
}

fn soon() -> Timestamp {
    SystemClock::default().wall().saturating_add(HOUR)
}

async fn insert<S: KeyStore>(store: &S, record: Record) {
    store.change(KeyChange::insert(record)).await.unwrap();
}

async fn all<S: KeyStore>(store: &S) -> Vec<Record> {
    store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
}

fn manager<S: KeyStore + Clone>(store: &S) -> KeyManager<S> {
    KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap())
}

fn careful<'m, S: KeyStore>(manager: &'m KeyManager<S>, caller: &'m Principal) -> Delegate<'m, S> {
    manager.on_behalf_of(caller).keeping_manager(Requirement::all_of(["keys.write"]).unwrap())
}

/// Returns a key that is no manager of the organization for the same time, in each way.
fn others() -> Vec<Record> {
    let other = |name: &str, change: fn(&mut Record)| {
        let mut record = manages(name);
        change(&mut record);
        record
    };
    vec![
        other("weak", |key| key.scopes = scopes("keys.read notes.*")),
        other("foreign", |key| key.owner = Owner::organization("Acme")),
        other("of-a-project", |key| key.owner = Owner::project(Organization::new("acme"), "web")),
        other("of-a-user", |key| key.owner = Owner::user("acme", [])),
        other("test", |key| key.environment = Environment::Test),
        other("revoked", |key| key.revoked = Some(revocation(1, ""))),
        other("expired", |key| key.expires_at = Some(Timestamp::from_unix_millis(1))),
        other("ending", |key| key.expires_at = Some(soon())),
        other("disabled", |key| {
            key.disabled = Some(Disabling::new(Timestamp::from_unix_millis(1), "").unlocked());
        }),
        other("replaced", |key| key.rotated_to = Some(id("gone"))),
    ]
}

pub async fn the_last_manager_of_an_owner_is_kept<S: KeyStore + Clone>(store: S) {
    insert(&store, manages("own")).await;
    for other in others() {
        insert(&store, other).await;
    }
    let (manager, caller) = (manager(&store), Caller::of(&store).admit("own").await.unwrap());
    let (before, own) = (all(&store).await, id("own"));
    let attempt = async |delegate: Delegate<'_, S>, attempt: usize| -> Result<(), ManageError> {
        match attempt {
            0 => delegate.revoke(&own, "lost").await,
            1 => delegate.update(&own, KeyUpdate::new().scopes(scopes("keys.read"))).await.map(drop),
            2 => delegate.update(&own, KeyUpdate::new().expires_at(soon())).await.map(drop),
            3 => delegate.disable(&own, "lost").await.map(drop),
            _ => {
                let options = RotateOptions::new(Grace::For(GRACE)).expires_at(soon());
                delegate.rotate(&own, options).await.map(drop)
            }
        }
    };
    for number in 0..5 {
        let error = attempt(careful(&manager, &caller), number).await.unwrap_err();
        assert_eq!(error.kind(), ManageErrorKind::LastManager, "{number}: {error}");
    }
    assert_eq!(all(&store).await, before);

    // None of these ends it.
    let delegate = careful(&manager, &caller);
    let later = SystemClock::default().wall().saturating_add(100 * HOUR);
    delegate
        .update(&own, KeyUpdate::new().name("a").scopes(scopes("keys.write")).expires_at(later))
        .await
        .unwrap();
    // Without the rule, and with another manager, it ends.
    attempt(manager.on_behalf_of(&caller), 2).await.unwrap();
    let mut other = manages("other");
    other.expires_at = Some(soon());
    insert(&store, other).await;
    delegate.revoke(&own, "replaced by one that lasts as long").await.unwrap();
}

pub async fn a_manager_is_found_among_many_keys<S: KeyStore + Clone>(store: S) {
    insert(&store, manages("a-manager")).await;
    for number in 0..250 {
        insert(&store, plain(&format!("key_{number:03}"))).await;
    }
    insert(&store, manages("z-manager")).await;
    let (manager, caller) = (manager(&store), Caller::of(&store));
    let first = caller.admit("a-manager").await.unwrap();
    let last = caller.admit("z-manager").await.unwrap();
    careful(&manager, &first).revoke(&id("a-manager"), "").await.unwrap();
    let error = careful(&manager, &last).revoke(&id("z-manager"), "").await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::LastManager, "{error}");
}

pub async fn a_key_that_is_no_last_manager_ends<S: KeyStore + Clone>(store: S) {
    insert(&store, manages("own")).await;
    let mut weak = plain("weak");
    weak.scopes = scopes("notes.read");
    insert(&store, weak).await;
    for name in ["peer", "project"] {
        insert(&store, manages(name)).await;
    }
    let mut project = manages("of-a-project");
    project.owner = Owner::project(Organization::new("acme"), "web");
    insert(&store, project).await;
    let (manager, admitted) = (manager(&store), Caller::of(&store));
    let (own, weak) = (admitted.admit("own").await.unwrap(), admitted.admit("weak").await.unwrap());
    careful(&manager, &weak).revoke(&id("weak"), "").await.unwrap();
    // The caller remains, and manages the keys of projects as well.
    for name in ["peer", "project", "of-a-project"] {
        careful(&manager, &own).revoke(&id(name), "").await.unwrap();
    }
    // Its successor manages keys.
    let options = RotateOptions::new(Grace::For(GRACE));
    let (_, successor) = careful(&manager, &own).rotate(&id("own"), options).await.unwrap().into_parts();
    // Until it ends with its grace, the caller is no manager that remains.
    let error = careful(&manager, &own).revoke(&successor.id, "").await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::LastManager, "{error}");
    careful(&manager, &own).revoke(&id("own"), "").await.unwrap();
}

pub async fn of_managers_that_end_themselves_at_once_one_is_kept<S: KeyStore + Clone>(store: S) {
    for round in 0..8 {
        let names: Vec<_> = (0..CALLERS).map(|caller| format!("{round}-{caller}")).collect();
        let owner = Owner::organization(format!("tenant-{round}"));
        for name in &names {
            let mut record = manages(name);
            record.owner = owner.clone();
            insert(&store, record).await;
        }
        let admitted = Caller::of(&store);
        let mut tasks = JoinSet::new();
        for (number, name) in names.into_iter().enumerate() {
            let (manager, caller) = (manager(&store), admitted.admit(&name).await.unwrap());
            tasks.spawn(async move {
                let delegate = careful(&manager, &caller);
                match number % 2 {
                    0 => delegate.revoke(caller.key_id(), "").await,
                    _ => {
                        delegate.update(caller.key_id(), KeyUpdate::new().scopes(scopes(""))).await.map(drop)
                    }
                }
            });
        }
        let outcomes = tasks.join_all().await;
        let rejected: Vec<_> =
            outcomes.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
        assert_eq!(rejected, [ManageErrorKind::LastManager], "round {round}");
        let of_owner = store.list(&KeyFilter::of_owner(&owner), None, usize::MAX).await.unwrap();
        let managers = of_owner.iter().filter(|key| key.revoked.is_none() && !key.scopes.is_empty());
        assert_eq!(managers.count(), 1, "round {round}");
    }
}
