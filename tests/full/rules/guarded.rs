//! The check of an application's routes finds each mistake.

use axum::Router;
use axum::routing::get;
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::Access;
use tower_api_key::test_util::assert_guarded;
use tower_api_key::{Principal, RequireScopeLayer};

use super::{layer, scope};

/// Returns the message of the panic of a check.
async fn fault(check: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(check).await.unwrap_err().into_panic();
    panic
        .downcast::<String>()
        .map_or_else(|panic| (*panic.downcast::<&str>().unwrap()).to_owned(), |text| *text)
}

async fn whoami(principal: Principal) -> String {
    principal.key_id().to_string()
}

#[tokio::test]
async fn each_route_with_a_fault_is_named() {
    let rules = RouteRules::new([
        ("/public", Access::Public),
        ("/any", Access::AnyKey),
        ("GET /notes/{id}", scope("notes.read")),
    ]);
    let app = Router::new()
        .route("/public", get("open"))
        .route("/any", get(whoami))
        .route("/notes/{id}", get("a note").post("a note"))
        .route("/undeclared", get("undeclared"))
        .route_layer(layer("").rules(rules.unwrap()))
        .route("/forgotten", get("added after the layer"))
        .route("/extracted", get(whoami))
        .route("/plain", get("no rule").route_layer(layer("")))
        .route(
            "/scoped",
            get("a scope").route_layer(RequireScopeLayer::scope("a").unwrap()).route_layer(layer("")),
        );
    let good = [("GET", "/any"), ("GET", "/notes/{id}"), ("HEAD", "/notes/7"), ("GET", "/scoped")];
    assert_guarded(app.clone(), "test", good).await;

    let routes = [
        ("GET", "/any"),
        ("GET", "/public"),
        ("POST", "/notes/{id}"),
        ("GET", "/undeclared"),
        ("GET", "/forgotten"),
        ("GET", "/extracted"),
        ("GET", "/plain"),
        ("GET", "/unknown"),
    ];
    let message = fault(assert_guarded(app.clone(), "test", routes)).await;
    let expected = "7 of 8 routes are not guarded:
  GET /public answers 200 without a key: add `AuthenticateLayer` after the route, or leave out a route that is public
  POST /notes/{id} has no rule: add one to the rules of the layer
  GET /undeclared has no rule: add one to the rules of the layer
  GET /forgotten answers 200 without a key: add `AuthenticateLayer` after the route, or leave out a route that is public
  GET /extracted did not pass an `AuthenticateLayer`: add the layer after the route
  GET /plain answers 200 to a key without scopes, and no rule says so: add a rule, or a `RequireScopeLayer` around the route
  GET /unknown answers 404 without a key: name a route that exists";
    assert_eq!(message, expected);
    let message = fault(assert_guarded(app.clone(), "other", [("GET", "/any")])).await;
    assert!(message.ends_with("GET /any rejects the key of the test as `unknown`"), "{message}");
    let message = fault(assert_guarded(app.clone(), "test", [])).await;
    assert!(message.starts_with("no routes to check"), "{message}");
}
