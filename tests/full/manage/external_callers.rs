//! Callers that another login has authenticated.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt;
use tower_api_key::backend::{Grace, KeyFilter, KeyUpdate};
use tower_api_key::error::InvalidValueKind;
use tower_api_key::manage::{
    ExternalCaller, KeyManager, ManageError, ManageErrorKind, ManageSettings, NewKey, RotateOptions, routes,
};
use tower_api_key::owner::Organization;
use tower_api_key::test_util::principal;
use tower_api_key::{Authenticator, Environment, KeyFormat, MemoryStore, Owner, Scopes};

use crate::manage::world::{START, World};

fn acme() -> Owner {
    Owner::organization("acme")
}

fn caller() -> ExternalCaller {
    ExternalCaller::new("user:ann", acme()).unwrap().scopes(Scopes::parse("notes.*").unwrap())
}

#[test]
fn a_caller_without_a_name_or_an_owner_is_not_created() {
    for (name, owner, field) in [
        ("", acme(), "name"),
        ("\u{200b}", acme(), "name"),
        ("ann\0", acme(), "name"),
        ("\u{202e}nna", acme(), "name"),
        (&"a".repeat(256), acme(), "name"),
        ("user:ann", Owner::organization(""), "organization"),
        ("user:ann", Owner::project(Organization::new("acme"), ""), "project"),
        ("user:ann", Owner::user("", []), "user"),
    ] {
        let error = ExternalCaller::new(name, owner).unwrap_err();
        assert_eq!(error.kind(), InvalidValueKind::ExternalCaller);
        assert!(
            error.to_string().starts_with(&format!("external caller is invalid: {field} must")),
            "{error}"
        );
    }
    for name in ["ann@example.com", "auth0|17", "Åsa"] {
        assert_eq!(ExternalCaller::new(name, acme()).unwrap().name(), name);
    }
}

#[tokio::test]
async fn a_caller_manages_the_environments_that_it_names() {
    let world = World::new();
    for environment in [Environment::Live, Environment::Test] {
        world.key(NewKey::new(acme()).environment(environment)).await;
    }
    let (live, test) = (Environment::Live, Environment::Test);
    for (caller, default, managed) in [
        (caller(), live, vec![live]),
        (caller().environment(test), test, vec![test]),
        (caller().across_environments(), live, vec![live, test]),
        (caller().across_environments().environment(test), test, vec![test]),
    ] {
        let delegate = world.manager.on_behalf_of_external(caller.clone());
        assert_eq!(delegate.new_key().environment, default);
        // It names its environments itself.
        for delegate in [delegate, world.manager.on_behalf_of_external(caller).across_environments()] {
            let mut found: Vec<_> = delegate.list(KeyFilter::all(), None, 9).await.unwrap();
            found.sort_by_key(|key| key.environment);
            assert_eq!(found.iter().map(|key| key.environment).collect::<Vec<_>>(), managed);
        }
    }
    let delegate = world.manager.on_behalf_of_external(caller());
    let beyond = delegate.create(delegate.new_key().environment(test)).await.unwrap_err();
    assert_eq!((beyond.kind(), beyond.fields()[0].field), (ManageErrorKind::Forbidden, "environment"));
}

#[tokio::test]
async fn a_caller_whose_keys_have_to_end_by_now_makes_none() {
    let world = World::new();
    let own = world.key(NewKey::new(acme())).await;
    let delegate = world.manager.on_behalf_of_external(caller().keys_end_by(START));
    let options = || RotateOptions::new(Grace::None);
    let errors = [
        delegate.create(delegate.new_key()).await.map(drop).unwrap_err(),
        delegate.rotate(&own.record.id, options()).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Forbidden, "expires_at"));
    }
    assert_eq!(world.all().await, std::slice::from_ref(&own.record));
    // It still ends keys.
    delegate.revoke(&own.record.id, "").await.unwrap();
    assert!(!world.admits(&own.text).await);
}

#[tokio::test]
async fn an_expiry_is_not_put_off_beyond_that_of_the_keys_of_the_caller() {
    let world = World::new();
    let end = START.saturating_add(Duration::from_secs(60));
    let own = world.key(NewKey::new(acme()).expires_at(START.saturating_add(Duration::from_secs(1)))).await;
    let delegate = world.manager.on_behalf_of_external(caller().keys_end_by(end));
    let update = async |end| {
        let mut update = KeyUpdate::new();
        update.expires_at = Some(end);
        delegate.update(&own.record.id, update).await.map_err(|error: ManageError| error.kind())
    };
    for late in [None, Some(end.saturating_add(Duration::from_millis(1)))] {
        assert_eq!(update(late).await.unwrap_err(), ManageErrorKind::Forbidden);
    }
    assert_eq!(update(Some(end)).await.unwrap().expires_at, Some(end));
}

#[tokio::test]
async fn where_it_is_allowed_a_caller_restricts_keys_with_scopes_that_it_lacks() {
    let world = World::new();
    let strong = world.customer("acme", "billing").await;
    let id = &strong.record.id;
    let by = world.manager.on_behalf_of_external(caller());
    assert_eq!(by.revoke(id, "").await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    let allowing = world.manager.clone().allow_stronger_keys();
    let by = allowing.on_behalf_of_external(caller());
    let more = KeyUpdate::new().scopes(Scopes::parse("billing admin").unwrap());
    assert_eq!(by.update(id, more).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    assert_eq!(
        by.rotate(id, RotateOptions::new(Grace::None)).await.unwrap_err().kind(),
        ManageErrorKind::Forbidden
    );
    by.revoke(id, "").await.unwrap();
    assert!(!world.admits(&strong.text).await);
}

/// Returns settings that resolve a caller by a header, with these scopes.
fn by_header(granted: &'static str) -> ManageSettings {
    let needs = |scope: &str| scope.parse().unwrap();
    let settings = ManageSettings::new(needs("keys.read"), needs("keys.write"));
    settings.resolve_callers(move |headers: HeaderMap| async move {
        let name =
            headers.get("x-user").ok_or((StatusCode::UNAUTHORIZED, [("cache-control", "max-age=60")]))?;
        let caller = ExternalCaller::new(name.to_str().unwrap(), acme()).unwrap();
        Ok::<_, (StatusCode, [(&str, &str); 1])>(caller.scopes(Scopes::parse(granted).unwrap()))
    })
}

#[tokio::test]
async fn a_resolved_caller_needs_the_scopes_of_the_routes() {
    let world = World::new();
    world.customer("acme", "").await;
    for (granted, reads, writes) in
        [("keys.read", 200, 403), ("keys.write", 403, 201), ("keys.*", 200, 201), ("notes", 403, 403)]
    {
        let app = routes(world.manager.clone(), by_header(granted));
        for (method, path, status) in [
            (Method::GET, "/keys", reads),
            (Method::GET, "/usage", reads),
            (Method::GET, "/permissions", reads),
            (Method::POST, "/keys", writes),
        ] {
            let request = Request::builder().method(&method).uri(path).header("x-user", "ann");
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{granted}: {method} {path}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn the_rejection_of_the_application_is_the_response_and_is_not_cached() {
    let world = World::new();
    let app = routes(world.manager.clone(), by_header("keys.*"));
    let response = app.oneshot(Request::get("/keys").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let lines: Vec<_> = response.headers().get_all("cache-control").iter().collect();
    assert_eq!(lines, ["no-store"]);
}

#[tokio::test]
async fn behind_a_layer_for_keys_the_resolved_caller_counts() {
    let world = World::new();
    let other = world.customer("other", "*").await;
    let layer = tower_api_key::AuthenticateLayer::new(world.backend.get_ref().clone());
    let app = routes(world.manager.clone(), by_header("*")).layer(layer);
    let ask = async |key: Option<&str>| {
        let request = Request::post("/keys").header("x-user", "ann");
        let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    };
    assert_eq!(ask(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(&other.text)).await, StatusCode::CREATED);
    let made: Vec<_> = world.all().await.into_iter().filter(|key| key.id != other.record.id).collect();
    assert_eq!((&made[0].owner, made[0].created_by.as_deref()), (&acme(), Some("ann")));
}

#[tokio::test]
async fn a_principal_can_be_an_external_caller() {
    let world = World::new();
    let record = Arc::new(world.admin().await.record);
    let admitted = principal(|own| {
        own.clone_from(&record);
        own.expires_at = Some(START.saturating_add(Duration::from_secs(60)));
    });
    let caller = ExternalCaller::from(&admitted);
    assert_eq!((caller.name(), caller.owner()), (record.id.as_str(), &acme()));
    let delegate = world.manager.on_behalf_of_external(caller);
    let made = delegate.create(delegate.new_key()).await.unwrap();
    assert_eq!(made.record().expires_at, Some(START.saturating_add(Duration::from_secs(60))));
    // Its own key is its own, whatever scopes that has.
    let own = KeyUpdate::new().name("renamed");
    assert_eq!(&*delegate.update(&record.id, own).await.unwrap().name, "renamed");
}

#[tokio::test]
async fn a_wildcard_does_not_grant_the_scope_that_implies_all() {
    let store = MemoryStore::new();
    let authenticator = Authenticator::builder(store.clone()).admin_scope("notes.admin").build().unwrap();
    let format = KeyFormat::new("demo").unwrap();
    let manager = KeyManager::for_authenticator(&authenticator, store, format).unwrap();
    let grants = async |own: &str, wanted: &str| {
        let own = caller().scopes(Scopes::parse(own).unwrap());
        let delegate = manager.on_behalf_of_external(own);
        delegate.create(delegate.new_key().scopes(Scopes::parse(wanted).unwrap())).await.is_ok()
    };
    assert!(!grants("notes.*", "notes.admin").await);
    assert!(grants("notes.*", "notes.read").await);
    assert!(grants("*", "notes.admin").await);
    assert!(grants("notes.admin", "billing").await);

    // It is all that the routes need.
    let needs = |scope: &str| scope.parse().unwrap();
    let settings = ManageSettings::new(needs("keys.read"), needs("keys.write"));
    let settings = settings.resolve_callers(|()| async {
        Ok::<_, Infallible>(caller().scopes(Scopes::parse("notes.admin").unwrap()))
    });
    let request = Request::post("/keys").body(Body::empty()).unwrap();
    assert_eq!(routes(manager, settings).oneshot(request).await.unwrap().status(), StatusCode::CREATED);
}
