//! On PostgreSQL, busy callers block no other caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tower_api_key::backend::{Grace, KeyChange, KeyStore, KeyUpdate, OwnerChange, OwnerStore};
use tower_api_key::manage::{ManageErrorKind, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::{Owner, PostgresStore, Scopes};

use crate::interleavings::cast::Who;
use crate::interleavings::scene::Scene;
use support::postgres::is_absent;
use support::{Key, START, revocation};

/// Of the promised second, and as much for a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// Delays commits, as a synchronous standby does.
const SLOW: &str = "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER take_time AFTER INSERT ON tower_api_key_audit DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION take_time()";

/// Has one caller create keys by many concurrent requests, until it may not, or is stopped.
fn create_keys(scene: &Scene, store: &PostgresStore, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    (0..16)
        .map(|_| {
            let (cast, store, stop) = (Arc::clone(&scene.cast), store.clone(), Arc::clone(stop));
            async move {
                let manager = cast.manager(store);
                let delegate = manager.on_behalf_of(cast.caller(Who::Key));
                while !stop.load(Ordering::SeqCst) {
                    let created = delegate.create(delegate.new_key()).await;
                    if created.is_err_and(|error| error.kind() == ManageErrorKind::Forbidden) {
                        return;
                    }
                }
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_caller_is_narrowed_closed_and_revoked_soon() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    scene.run(SLOW.to_owned()).await;
    let store = PostgresStore::open(&scene.database.url()).await.unwrap();
    let own = scene.cast.household(Who::Key).own.clone();
    let mut narrow = KeyUpdate::default();
    narrow.scopes = Some(Scopes::default());
    for way in ["revoked", "narrowed", "closed"] {
        scene.enter_anew().await;
        let stop = Arc::default();
        let crowd = create_keys(&scene, &store, &stop);
        let is_busy = async {
            while scene.entries_by(own.id().as_str()).await < 32 {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), is_busy).await.unwrap();
        let ending = async {
            match way {
                "revoked" => scene.direct.change(KeyChange::revoke(own.id(), revocation())).await.map(drop),
                "narrowed" => {
                    scene.direct.change(KeyChange::update(own.id(), narrow.clone())).await.map(drop)
                }
                _ => {
                    let mut closed = Organization::new("acme");
                    closed.disabled = true;
                    scene.direct.change_owner(OwnerChange::put_organization(closed)).await
                }
            }
        };
        let ended = timeout(SOON, ending).await;
        stop.store(true, Ordering::SeqCst);
        crowd.join_all().await;
        ended.unwrap_or_else(|_| panic!("it could not be {way} within {SOON:?}")).unwrap();
    }
}

#[tokio::test]
async fn a_key_whose_end_comes_while_it_waits_is_not_replaced() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let (cast, application) = (Arc::clone(&scene.cast), scene.application().await);
    let old = cast.household(Who::Key).own.id().clone();
    let mut ending = KeyUpdate::default();
    ending.expires_at = Some(Some(START.saturating_add(Duration::from_secs(60))));
    scene.direct.change(KeyChange::update(&old, ending)).await.unwrap();

    let mut holding = application.begin().await.unwrap();
    const LOCK: &str = "SELECT FROM tower_api_key WHERE id = $1 FOR UPDATE";
    sqlx::query(LOCK).bind(old.as_str()).execute(&mut *holding).await.unwrap();
    let rotating = {
        let (cast, store, old) = (Arc::clone(&cast), scene.held.store.clone(), old.clone());
        tokio::spawn(async move {
            let manager = cast.manager(store);
            let delegate = manager.on_behalf_of(cast.caller(Who::Key));
            delegate.rotate(&old, RotateOptions::new(Grace::None)).await.map(drop)
        })
    };
    scene.until_waits_for_application(&scene.held).await;
    cast.clock.advance(Duration::from_secs(60));
    holding.rollback().await.unwrap();
    assert_eq!(rotating.await.unwrap().unwrap_err().kind(), ManageErrorKind::Forbidden);
    assert_eq!(scene.direct.get(&old).await.unwrap().unwrap().rotated_to, None);
}

#[tokio::test]
async fn a_key_that_a_caller_may_not_know_of_is_not_locked_for_it() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let (cast, application) = (Arc::clone(&scene.cast), scene.application().await);
    let foreign = Key::mint().with(|record| record.owner = Owner::organization("another")).record;
    scene.direct.change(KeyChange::insert(foreign.clone())).await.unwrap();
    let foreign = foreign.id;
    let mut holding = application.begin().await.unwrap();
    const LOCK: &str = "SELECT FROM tower_api_key WHERE id = $1 FOR UPDATE";
    sqlx::query(LOCK).bind(foreign.as_str()).execute(&mut *holding).await.unwrap();
    let manager = cast.manager(scene.held.store.clone());
    let delegate = manager.on_behalf_of(cast.caller(Who::Key));
    let updating = delegate.update(&foreign, KeyUpdate::default());
    let error = timeout(SOON, updating).await.expect("it waits for nothing").unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::NotFound);
    holding.rollback().await.unwrap();
}
