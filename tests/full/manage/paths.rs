//! The list of keys at a path of the application.

use axum::Router;
use http::{Method, StatusCode};
use serde_json::Value;
use tower_api_key::manage::{ManageSettings, routes};
use tower_api_key::{AuthenticateLayer, Authenticator, Requirement};

use crate::manage::world::{Customer, World};

/// A contract of the application.
const PATH: &str = "/v1/account/api-keys";

fn settings() -> ManageSettings {
    let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
    ManageSettings::new(needs("keys.read"), needs("keys.write")).at_root().self_routes()
}

/// Returns a service that nests the routes in another router.
fn world(nest: impl FnOnce(Router, Router) -> Router) -> World {
    let mut world = World::new();
    let authenticator = Authenticator::builder(world.backend.clone());
    let authenticator = authenticator.with_clock(std::sync::Arc::clone(&world.clock)).build().unwrap();
    let ours = routes(world.manager.clone(), settings());
    world.app = nest(Router::new(), ours).layer(AuthenticateLayer::new(authenticator));
    world
}

async fn lives(world: &World, admin: &Customer, list: &str) {
    let ask = async |method: Method, path: &str, body: &str| world.ask(admin, method, path, body).await;
    let created = ask(Method::POST, list, r#"{"name":"a"}"#).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let key = format!("{PATH}/{}", created.body["id"].as_str().unwrap());
    let listed = ask(Method::GET, &format!("{list}?limit=1"), "").await;
    assert_eq!(listed.body["keys"].as_array().unwrap().len(), 1, "{}", listed.body);
    for path in [&key, &format!("{key}/usage"), &format!("{PATH}/usage"), &format!("{PATH}/permissions")] {
        assert_eq!(ask(Method::GET, path, "").await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(ask(Method::GET, &format!("{PATH}/self"), "").await.body["id"], admin.record.id.as_str());
    assert_eq!(ask(Method::PATCH, &key, r#"{"name":"b"}"#).await.body["name"], "b");
    let rotated = ask(Method::POST, &format!("{key}/rotate"), r#"{"grace_seconds":60}"#).await;
    assert_eq!(rotated.status, StatusCode::CREATED, "{}", rotated.body);
    assert_eq!(ask(Method::DELETE, &key, "").await.status, StatusCode::NO_CONTENT);
    // Neither the default path nor another one below it.
    for path in [format!("{PATH}/keys"), format!("{key}/other"), format!("{PATH}/self/usage")] {
        let answer = ask(Method::GET, &path, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
        assert!(answer.body["detail"].is_string(), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_nested_router_has_the_list_at_its_path() {
    let world = world(|app, ours| app.nest(PATH, ours));
    let admin = world.admin().await;
    lives(&world, &admin, PATH).await;
    // A path of the router around.
    let answer = world.ask(&admin, Method::GET, &format!("{PATH}/"), "").await;
    assert_eq!((answer.status, answer.body), (StatusCode::NOT_FOUND, Value::Null));
}

#[tokio::test]
async fn a_nested_service_has_the_list_with_a_trailing_slash_as_well() {
    let world = world(|app, ours| app.nest_service(PATH, ours));
    let admin = world.admin().await;
    lives(&world, &admin, PATH).await;
    lives(&world, &admin, &format!("{PATH}/")).await;
}

#[tokio::test]
async fn routes_that_are_the_whole_application_have_the_list_at_the_root() {
    let world = world(|_, ours| ours);
    let admin = world.admin().await;
    let created = world.ask(&admin, Method::POST, "/", "").await;
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(world.ask(&admin, Method::GET, &format!("/{id}"), "").await.status, StatusCode::OK);
}

#[test]
fn the_document_has_the_paths_and_the_fields_of_the_settings() {
    let document = |settings: ManageSettings, prefix| -> Value {
        serde_json::from_str(&settings.openapi(prefix)).unwrap()
    };
    let paths = |document: &Value| -> Vec<String> {
        document["paths"].as_object().unwrap().keys().cloned().collect()
    };
    let at_root = document(settings(), PATH);
    let below = [
        "",
        "/permissions",
        "/self",
        "/self/rotate",
        "/usage",
        "/{id}",
        "/{id}/disable",
        "/{id}/enable",
        "/{id}/rotate",
        "/{id}/usage",
    ];
    assert_eq!(paths(&at_root), below.map(|path| format!("{PATH}{path}")));
    let whole = document(settings(), "");
    assert!(whole["paths"].get("/").is_some());

    let needs = Requirement::all_of(["keys"]).unwrap();
    let plain = document(ManageSettings::new(needs.clone(), needs.clone()), "/admin");
    let below = [
        "/keys",
        "/keys/{id}",
        "/keys/{id}/disable",
        "/keys/{id}/enable",
        "/keys/{id}/rotate",
        "/keys/{id}/usage",
        "/permissions",
        "/usage",
    ];
    assert_eq!(paths(&plain), below.map(|path| format!("/admin{path}")));
    let fields = &plain["components"]["schemas"]["NewKey"]["properties"];
    assert!(fields.get("environment").is_none() && fields.get("sources").is_none());
    let chosen = ManageSettings::new(needs.clone(), needs).across_environments();
    let chosen = document(chosen.sources([tower_api_key::Source::x_api_key()]), "");
    let fields = &chosen["components"]["schemas"]["NewKey"]["properties"];
    assert!(fields.get("environment").is_some());
    assert_eq!(fields["sources"]["items"]["enum"], serde_json::json!(["x-api-key"]));
}
