//! Settings of the routes and of the manager.

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::json;
use tower_api_key::backend::KeyUpdate;
use tower_api_key::manage::{KeyManager, ManageErrorKind, ManageSettings, NewKey, RouteError, routes};
use tower_api_key::reject::Payload;
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Owner, Requirement, Scopes};

use crate::manage::world::World;

/// Writes errors as `{"error": "…"}`.
fn in_one_line(error: &RouteError) -> Payload {
    Payload::json(json!({ "error": error.to_string() }).to_string())
}

/// A world with other routes.
fn world(change: impl FnOnce(KeyManager<MemoryStore>) -> KeyManager<MemoryStore>) -> World {
    let mut world = World::new();
    let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
    let settings = ManageSettings::new(needs("keys.read"), needs("keys.write")).respond(in_one_line);
    let authenticator = Authenticator::builder(world.backend.clone());
    let authenticator = authenticator.with_clock(std::sync::Arc::clone(&world.clock)).build().unwrap();
    world.manager = change(world.manager);
    world.app = Router::new()
        .nest("/admin", routes(world.manager.clone(), settings))
        .layer(AuthenticateLayer::new(authenticator));
    world
}

#[tokio::test]
async fn errors_have_the_shape_of_the_application_with_status_and_headers() {
    let world = world(|manager| manager);
    let admin = world.admin().await;
    let gone = world.customer("acme", "notes.read").await;
    world.manager.revoke(&gone.record.id, "").await.unwrap();
    let gone = format!("/keys/{}", gone.record.id);
    let large = json!({ "name": "x".repeat(70_000) }).to_string();
    for (method, path, body, status, error) in [
        (Method::GET, "/key", "", 404, "No such route"),
        (Method::GET, "/keys/unknown", "", 404, "No such key"),
        (Method::PUT, "/keys", "", 405, "Method not allowed"),
        (Method::GET, "/keys?limit=0", "", 400, r#"limit: must be a number from 1 to 100, got "0""#),
        (Method::POST, "/keys", "[]", 400, "The body must be a JSON object, got an array"),
        (Method::POST, "/keys", &large, 413, "The body must have at most 65536 bytes"),
        (Method::PATCH, &gone, "{}", 409, "Not possible in the state of the key"),
        (
            Method::POST,
            "/keys",
            r#"{"name":1,"scopes":2}"#,
            422,
            "Invalid values; name: must be a string, got the number 1; scopes: must be an array of strings, got the number 2",
        ),
        (
            Method::POST,
            "/keys",
            r#"{"scopes":["*"]}"#,
            403,
            "The caller may not make this change; scopes: the caller lacks the scope `*`",
        ),
    ] {
        let answer = world.ask(&admin, method, &format!("/admin{path}"), body).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (status, &json!({ "error": error })), "{path}");
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers["content-length"], answer.body.to_string().len().to_string(), "{path}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{path}");
    }
    let made = world.ask(&admin, Method::POST, "/admin/keys", "").await;
    assert_eq!((made.status, made.body["key"].is_string()), (StatusCode::CREATED, true));
    // A caller without the scope of the routes gets the response of the authenticator.
    let unprivileged = world.customer("acme", "a").await;
    let rejected = world.ask(&unprivileged, Method::GET, "/admin/keys", "").await;
    assert_eq!(rejected.body, json!({ "detail": "Insufficient scope" }));
}

#[tokio::test]
async fn an_error_is_in_the_extensions_of_the_response() {
    let mut world = World::new();
    let admin = world.admin().await;
    let seen = async |mut response: Response| {
        let error = response.extensions().get::<RouteError>().unwrap().clone();
        response.headers_mut().insert("seen", error.errors[0].field.parse().unwrap());
        response
    };
    world.app = world.app.layer(map_response(seen));
    let answer = world.ask(&admin, Method::POST, "/admin/keys", r#"{"name":7}"#).await;
    assert_eq!(answer.headers["seen"], "name");
}

#[tokio::test]
async fn a_manager_that_requires_scopes_permits_no_key_without_one() {
    let world = world(KeyManager::require_scopes);
    let acme = || NewKey::new(Owner::organization("acme"));
    let imported = world.manager.import_text("a-key-from-elsewhere", acme()).await.map(drop);
    let created = world.manager.create(acme()).await.map(drop);
    let key = world.key(acme().scopes(Scopes::parse("keys.write").unwrap())).await;
    let update = KeyUpdate::new().scopes(Scopes::default());
    let updated = world.manager.update(&key.record.id, update).await.map(drop);
    for result in [imported, created, updated] {
        let error = result.unwrap_err();
        assert_eq!((error.fields()[0].field, &*error.fields()[0].message), ("scopes", "must not be empty"));
    }
    assert_eq!(world.all().await, std::slice::from_ref(&key.record));
    world.manager.update(&key.record.id, KeyUpdate::new().name("a")).await.unwrap();
    for body in ["", "{}", r#"{"scopes":[]}"#] {
        let answer = world.ask(&key, Method::POST, "/admin/keys", body).await;
        let expected = json!({ "error": "Invalid values; scopes: must not be empty" });
        assert_eq!((answer.status, answer.body), (StatusCode::UNPROCESSABLE_ENTITY, expected), "{body}");
    }
}

#[tokio::test]
async fn a_manager_that_requires_names_permits_no_key_without_one() {
    let world = world(KeyManager::require_names);
    let acme = || NewKey::new(Owner::organization("acme"));
    for name in ["", " ", "\u{a0}\u{2003}"] {
        let imported = world.manager.import_text("a-key-from-elsewhere", acme().name(name)).await.map(drop);
        let created = world.manager.create(acme().name(name)).await.map(drop);
        for result in [imported, created] {
            let error = result.unwrap_err();
            assert_eq!(
                (error.kind(), error.fields()[0].field),
                (ManageErrorKind::Invalid, "name"),
                "{error}"
            );
        }
    }
    assert_eq!(world.all().await, []);
    let key = world.key(acme().name("a").scopes(Scopes::parse("keys.write").unwrap())).await;
    let mut update = KeyUpdate::default();
    update.name = Some("".into());
    let error = world.manager.update(&key.record.id, update).await.unwrap_err();
    assert_eq!(error.fields()[0].message, "must not be empty");
    world.manager.update(&key.record.id, KeyUpdate::default()).await.unwrap();
    for body in ["", "{}", r#"{"name":""}"#, r#"{"name":" "}"#] {
        let answer = world.ask(&key, Method::POST, "/admin/keys", body).await;
        let expected = json!({ "error": "Invalid values; name: must not be empty" });
        assert_eq!((answer.status, answer.body), (StatusCode::UNPROCESSABLE_ENTITY, expected), "{body}");
    }
}
