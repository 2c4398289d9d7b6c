//! Callers whose keys are in a backend other than the managed store.

use http::StatusCode;
use serde_json::json;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::manage::{KeyManager, ManageErrorKind};
use tower_api_key::{KeyFormat, MemoryStore};

use crate::authority::console::Console;
use crate::authority::stores::Store;
use crate::authority::world::{Key, World, admit, authenticator, of, revocation, scopes, settings};

/// Another store with the key of a caller.
async fn elsewhere<S: Store>(world: &World<S>) -> (MemoryStore, Key) {
    let store = MemoryStore::new();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let new = of("acme").scopes(scopes("keys console"));
    let (text, record) = manager.with_clock(world.clock.clone()).create(new).await.unwrap().into_parts();
    (store, Key::new(text.as_str(), record))
}

pub(crate) async fn a_caller_whose_key_another_backend_keeps_acts_only_where_it_is_said_so<S: Store>(
    world: World<S>,
) {
    let (other, caller) = elsewhere(&world).await;
    let principal = admit(&authenticator(other, &world.clock, &world.passwords), &caller.bearer()).await;
    let before = world.snapshot().await;
    let unknown = world.manager.on_behalf_of(&principal);
    let rejected = unknown.create(unknown.new_key()).await.unwrap_err();
    assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{rejected}");
    assert_eq!(world.snapshot().await, before);

    let external = world.manager.on_behalf_of_external(&principal);
    let new = external.new_key().scopes(scopes("console"));
    let record = external.create(new).await.unwrap().record().clone();
    assert_eq!(record.created_by.as_deref(), Some(caller.id().as_str()));
    assert_eq!(world.stored(&record.id).await, record);
    // It grants no more than it has.
    let beyond = external.new_key().scopes(scopes("billing"));
    assert_eq!(external.create(beyond).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
}

pub(crate) async fn routes_admit_external_callers_only_if_set<S: Store>(world: World<S>) {
    let (other, caller) = elsewhere(&world).await;
    let by = authenticator(other, &world.clock, &world.passwords);
    let body = json!({ "scopes": ["console"] }).to_string();
    for (settings, expected) in
        [(settings(), StatusCode::FORBIDDEN), (settings().external_callers(), StatusCode::CREATED)]
    {
        let console = Console::serve(world.manager.clone(), by.clone(), settings).await;
        let before = world.keys().await.len();
        let answer = console.ask(&caller.bearer(), "POST", "/console/keys", &body).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        assert_eq!(world.keys().await.len() - before, usize::from(expected == StatusCode::CREATED));
    }
}

pub(crate) async fn such_a_caller_is_judged_again_when_its_body_has_arrived<S: Store>(world: World<S>) {
    let (other, caller) = elsewhere(&world).await;
    let by = authenticator(other.clone(), &world.clock, &world.passwords);
    let console = Console::serve(world.manager.clone(), by, settings().external_callers()).await;
    let own = world.grant("acme", "").await;
    let (body, name) =
        (json!({ "scopes": ["console"] }).to_string(), json!({ "name": "renamed" }).to_string());
    let requests = [
        ("POST", "/console/keys".to_owned(), &body),
        ("PATCH", own.path(), &name),
        ("POST", own.path_to_rotate(), &body),
    ];
    let mut held = Vec::new();
    for (method, path, body) in requests {
        held.push(console.hold(&caller.bearer(), method, &path, body).await);
    }
    other.change(KeyChange::revoke(caller.id(), revocation("lost"))).await.unwrap();
    let before = world.snapshot().await;
    for held in held {
        let answer = held.finish().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
    assert_eq!(world.snapshot().await, before);
}
