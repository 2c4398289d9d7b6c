//! The check of an application's routes finds each mistake.

use axum::Router;
use axum::extract::Path;
use axum::routing::{any, get};
use tower::Layer;
use tower_api_key::axum::{RequireResourceLayer, RouteRules};
use tower_api_key::owner::Organization;
use tower_api_key::reject::Forbidden;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::test_util::{self, assert_guarded};
use tower_api_key::{Owner, Principal, RequireScopeLayer, Requirement};

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

/// Returns the fault of one route, without the method and the path.
async fn fault_of(app: &Router, method: &'static str, path: &'static str) -> String {
    let message = fault(assert_guarded(app.clone(), "test", [(method, path)])).await;
    message.split_once(&format!("{method} {path} ")).unwrap_or_else(|| panic!("{message}")).1.to_owned()
}

#[tokio::test]
async fn a_route_that_does_not_exist_is_a_fault_behind_each_layer() {
    let notes = || Router::new().route("/notes/{id}", get("a note"));
    let ghosts = [("/ghost", Access::AnyKey), ("/ghosts", scope("a")), ("/notes/1", scope("a"))];
    let around = layer("").rules(PathRules::new(ghosts.clone()).unwrap());
    let paths = layer("").rules(PathRules::new(ghosts).unwrap());
    let routes = layer("").rules(RouteRules::new([("/notes/{id}", scope("a"))]).unwrap());
    for app in [
        notes().layer(RequireScopeLayer::scope("a").unwrap()).layer(layer("")),
        notes().layer(paths),
        notes().layer(routes),
    ] {
        assert_guarded(app.clone(), "test", [("GET", "/notes/{id}")]).await;
        for path in ["/ghost", "/ghosts", "/note/{id}"] {
            assert!(fault_of(&app, "GET", path).await.starts_with("has no route: name one that exists"));
        }
        let fault = fault_of(&app, "DELETE", "/notes/{id}").await;
        assert_eq!(fault, "has no handler: name a method that the route has");
    }
    // A layer around the router learns of it from the router's answer.
    let message = fault(assert_guarded(around.layer(notes()), "test", [("GET", "/ghost")])).await;
    assert!(message.ends_with("GET /ghost answers 404 to a key: name a route that exists"), "{message}");
}

#[tokio::test]
async fn a_handler_that_compares_the_organization_only_is_not_guarded() {
    let (needed, own) = (Requirement::all_of(["a"]).unwrap(), "test");
    let compares = async |Path(organization): Path<String>, caller: Principal| {
        let is_own = caller.organization_id() == Some(&organization);
        is_own.then_some("a secret").ok_or_else(|| caller.reject(Forbidden::Organization))
    };
    let app = Router::new()
        .route("/compared/{organization}", get(compares))
        .route("/compared/by/{name}", get(compares))
        .route("/required/{organization}", get("a secret").route_layer(RequireResourceLayer::new(needed)))
        .route_layer(layer(""));
    assert_guarded(app.clone(), "test", [("GET", "/required/{organization}"), ("GET", "/required/test")])
        .await;
    assert!(
        fault_of(&app, "GET", "/compared/{organization}").await.starts_with("answers 200 to a key without")
    );
    for path in ["/compared/by/{name}", "/required/other"] {
        let fault = fault_of(&app, "GET", path).await;
        assert!(fault.starts_with("rejects the key as `organization`, whatever its scopes"), "{fault}");
    }

    let mut disabled = Organization::new(own);
    disabled.disabled = true;
    let authenticate = test_util::layer("test", |record| record.owner = Owner::Organization(disabled));
    let app = Router::new().route("/a", get("here")).route_layer(authenticate);
    let message = fault(assert_guarded(app, "test", [("GET", "/a")])).await;
    assert!(message.starts_with("the organization of the key is disabled"), "{message}");
}

#[tokio::test]
async fn a_handler_that_a_preflight_reaches_is_a_fault() {
    let rules = RouteRules::new([("/any", scope("a")), ("/get", scope("a")), ("/own", scope("a"))]).unwrap();
    let preflight = async || [("access-control-allow-origin", "https://a.example")];
    let app = Router::new()
        .route("/any", any("here"))
        .route("/get", get("here"))
        .route("/own", get("here").options(preflight))
        .route_layer(layer("").rules(rules).allow_preflight());
    assert_guarded(app.clone(), "test", [("GET", "/get"), ("GET", "/own")]).await;
    for method in ["GET", "OPTIONS"] {
        let fault = fault_of(&app, method, "/any").await;
        assert!(
            fault.starts_with("answers 200 to a preflight without a key: restrict its handler"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn doubled_braces_of_a_template_are_filled_in_as_single_ones() {
    let rules = RouteRules::new([("/a/{{x}}/{id}", scope("a"))]).unwrap();
    let app = Router::new().route("/a/{{x}}/{id}", get("here")).route_layer(layer("").rules(rules));
    assert_guarded(app, "test", [("GET", "/a/{{x}}/{id}")]).await;
}
