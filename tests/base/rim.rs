//! What the crate adds to axum and to tonic.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::BodyExt;
use support::{Key, authenticator, store_with_key};
use tonic::Code;
use tonic::server::NamedService;
use tower::{Layer, ServiceExt};
use tower_api_key::axum::RequireResourceLayer;
use tower_api_key::owner::Organization;
use tower_api_key::principal::Resource;
use tower_api_key::reject::{Forbidden, Payload};
use tower_api_key::{
    AuthenticateLayer, Authenticator, MemoryStore, Owner, Principal, Reason, Rejection, RequireScopeLayer,
    Requirement, Scopes, test_util,
};

use crate::handlers::panicking;

async fn whoami(principal: Principal) -> String {
    principal.key_id().to_string()
}

async fn maybe(principal: Option<Principal>) -> String {
    principal.map_or("anonymous".to_owned(), |principal| principal.key_id().to_string())
}

fn get_path(path: &str, key: Option<&Key>) -> Request<Body> {
    let request = Request::builder().uri(path);
    let request = match key {
        Some(key) => request.header("authorization", format!("Bearer {}", key.text)),
        None => request,
    };
    request.body(Body::empty()).unwrap()
}

async fn send(app: &Router, path: &str, key: Option<&Key>) -> (StatusCode, String) {
    let response = app.clone().oneshot(get_path(path, key)).await.unwrap();
    let status = response.status();
    (status, body(response).await)
}

async fn body(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn routes() -> Router {
    Router::new().route("/whoami", get(whoami)).route("/maybe", get(maybe))
}

#[tokio::test]
async fn handlers_extract_the_principal() {
    let (store, key) = store_with_key().await;
    let app = routes().layer(AuthenticateLayer::new(authenticator(store).0));
    let id = key.id().to_string();
    assert_eq!(send(&app, "/whoami", Some(&key)).await, (StatusCode::OK, id.clone()));
    assert_eq!(send(&app, "/maybe", Some(&key)).await, (StatusCode::OK, id));
    assert_eq!(send(&app, "/maybe", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_optional_layer_leaves_it_to_the_extractor() {
    let (store, key) = store_with_key().await;
    let builder = Authenticator::builder(store)
        .realm("notes")
        .respond(|rejection: &Rejection| Payload::json(format!("\"{}\"", rejection.reason().label())));
    let app = routes().layer(AuthenticateLayer::new(builder.build().unwrap()).optional());
    assert_eq!(send(&app, "/maybe", None).await, (StatusCode::OK, "anonymous".into()));
    assert_eq!(send(&app, "/maybe", Some(&key)).await, (StatusCode::OK, key.id().to_string()));
    assert_eq!(send(&app, "/maybe", Some(&Key::foreign("bad"))).await.0, StatusCode::UNAUTHORIZED);

    let response = app.oneshot(get_path("/whoami", None)).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="notes""#);
    assert_eq!(body(response).await, "\"missing\"");
}

#[tokio::test]
async fn a_rejection_of_an_extractor_is_reported_although_the_code_of_the_application_panics() {
    let (authenticator, reported) = panicking();
    let app = routes().layer(AuthenticateLayer::new(authenticator).optional());
    assert!(tokio::spawn(app.oneshot(get_path("/whoami", None))).await.unwrap_err().is_panic());
    assert_eq!(reported.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_the_layer_an_extractor_tells_the_client_nothing_of_it() {
    for path in ["/whoami", "/maybe"] {
        let (status, body) = send(&routes(), path, None).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body, r#"{"detail":"Internal server error"}"#);
    }
}

#[tokio::test]
async fn a_public_path_is_the_whole_path_even_inside_a_nested_router() {
    let (store, _) = store_with_key().await;
    let (authenticator, _clock) = authenticator(store);
    let nested = |public: &str| {
        let layer = AuthenticateLayer::new(authenticator.clone()).public(public).unwrap();
        Router::new().nest("/api", routes().layer(layer))
    };
    assert_eq!(send(&nested("/maybe"), "/api/maybe", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(&nested("/api/maybe"), "/api/maybe", None).await, (StatusCode::OK, "anonymous".into()));
}

#[tokio::test]
async fn a_route_layer_leaves_unknown_paths_to_the_router() {
    let (store, _) = store_with_key().await;
    let layer = AuthenticateLayer::new(authenticator(store).0);
    assert_eq!(send(&routes().route_layer(layer.clone()), "/unknown", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&routes().layer(layer), "/unknown", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_handler_can_return_a_rejection() {
    async fn notes(principal: Principal) -> Result<Json<[u8; 0]>, Rejection> {
        let read = Requirement::all_of(["notes.read"]).unwrap();
        principal.authorize(&read, Resource::Organization("other"))?;
        Ok(Json([]))
    }
    let (store, key) = store_with_key().await;
    let builder = Authenticator::builder(store)
        .respond(|rejection: &Rejection| Payload::json(format!("\"{}\"", rejection.reason().label())));
    let app = Router::new().route("/", get(notes)).layer(AuthenticateLayer::new(builder.build().unwrap()));
    assert_eq!(send(&app, "/", Some(&key)).await, (StatusCode::FORBIDDEN, "\"forbidden\"".into()));
}

#[tokio::test]
async fn a_caller_accesses_the_resource_of_the_path_or_is_rejected_as_configured() {
    let store = MemoryStore::new();
    let own = |owner: Owner| Key::mint().scopes("notes.read").with(|record| record.owner = owner);
    let acme = own(Owner::organization("acme")).insert_into(&store).await;
    let sink = own(Owner::project(Organization::new("acme"), "sink")).insert_into(&store).await;
    let unscoped = Key::mint().insert_into(&store).await;
    let builder = Authenticator::builder(store)
        .respond(|rejection: &Rejection| Payload::json(format!("\"{}\"", rejection.reason().label())));
    let app = Router::new()
        .route("/of/{organization}", get(whoami))
        .route("/of/{organization}/{project}/notes", get(whoami))
        .route("/elsewhere/{id}", get(whoami))
        .route_layer(RequireResourceLayer::scope("notes.read").unwrap())
        .layer(AuthenticateLayer::new(builder.build().unwrap()));

    for (key, path, reason) in [
        (&acme, "/of/acme", None),
        (&acme, "/of/%61cme/sink/notes", None),
        (&acme, "/of/acme/any/notes", None),
        (&sink, "/of/acme/sink/notes", None),
        (&sink, "/of/acme", Some("forbidden")),
        (&sink, "/of/acme/other/notes", Some("forbidden")),
        (&sink, "/of/other/sink/notes", Some("forbidden")),
        (&acme, "/of/other", Some("forbidden")),
        (&acme, "/of/ACME", Some("forbidden")),
        (&acme, "/of/other/acme/notes", Some("forbidden")),
        (&acme, "/of/%FF", Some("forbidden")),
        (&acme, "/elsewhere/acme", Some("forbidden")),
        (&unscoped, "/of/acme", Some("missing_scope")),
    ] {
        let expected = match reason {
            None => (StatusCode::OK, key.id().to_string()),
            Some(label) => (StatusCode::FORBIDDEN, format!("\"{label}\"")),
        };
        assert_eq!(send(&app, path, Some(key)).await, expected, "{path}");
    }
    assert_eq!(send(&app, "/of/acme", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_rejection_by_hand_is_a_whole_response() {
    let response = Rejection::new(Reason::Unavailable).into_response();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    let forbidden = Rejection::new(Reason::Forbidden(Forbidden::Project)).into_response();
    assert_eq!(forbidden.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_handler_is_tested_without_a_layer_or_a_key() {
    let principal = test_util::principal(|record| {
        record.owner = Owner::organization("acme");
        record.scopes = Scopes::parse("notes.read").unwrap();
    });
    assert!(principal.require(&Requirement::all_of(["notes.read"]).unwrap()).is_ok());
    let mut request = get_path("/whoami", None);
    request.extensions_mut().insert(principal.clone());
    let response = routes().oneshot(request).await.unwrap();
    assert_eq!(body(response).await, principal.key_id().as_str());
}

#[test]
fn a_call_knows_its_principal() {
    let mut call = tonic::Request::new(());
    let status = tower_api_key::tonic::principal(&call).unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "Internal server error");

    let principal = test_util::principal(|_| {});
    call.extensions_mut().insert(principal.clone());
    assert_eq!(tower_api_key::tonic::principal(&call).unwrap().key_id(), principal.key_id());
}

#[test]
fn a_rejection_is_a_status() {
    let code = |reason| tonic::Status::from(Rejection::new(reason)).code();
    assert_eq!(code(Reason::Missing), Code::Unauthenticated);
    assert_eq!(code(Reason::Unknown), Code::Unauthenticated);
    assert_eq!(code(Reason::Ambiguous), Code::InvalidArgument);
    assert_eq!(code(Reason::Forbidden(Forbidden::Organization)), Code::PermissionDenied);
    assert_eq!(code(Reason::Unavailable), Code::Unavailable);
}

#[test]
fn a_layered_service_keeps_its_name() {
    #[derive(Clone)]
    struct Greeter;
    impl NamedService for Greeter {
        const NAME: &'static str = "pkg.Greeter";
    }
    fn name<S: NamedService>(_: S) -> &'static str {
        S::NAME
    }
    let (authenticator, _clock) = authenticator(MemoryStore::new());
    let scope = RequireScopeLayer::new(Requirement::all_of(["a"]).unwrap());
    let service = AuthenticateLayer::new(authenticator).layer(scope.layer(Greeter));
    assert_eq!(name(service), "pkg.Greeter");
}
