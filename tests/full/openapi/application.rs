//! An application whose document gets its security part from the layers, explored by the document.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_api_key::axum::RouteRules;
use tower_api_key::openapi::Security;
use tower_api_key::rules::Access;
use tower_api_key::{AuthenticateLayer, Scopes, test_util};

use super::{Document, PYTHON, run, try_run};

/// An application with the layer, whose routes are those of the document.
fn app(layer: AuthenticateLayer) -> Router {
    Router::new()
        .route("/health", get(|| async { "up" }))
        .route("/notes", get(|| async { "notes" }).post(|| async { StatusCode::CREATED }))
        .route("/notes/{id}", get(|| async { "a note" }).delete(|| async { StatusCode::NO_CONTENT }))
        .route_layer(layer)
}

fn layer() -> AuthenticateLayer {
    let rules = RouteRules::new([
        ("/health", Access::Public),
        ("GET /notes", Access::AnyKey),
        ("POST /notes", Access::scope("notes.write").unwrap()),
        ("GET /notes/{id}", Access::scope("notes.read").unwrap()),
        ("DELETE /notes/{id}", Access::scope("notes.write").unwrap()),
    ]);
    test_util::layer("good", |record| record.scopes = Scopes::parse("notes.*").unwrap()).rules(rules.unwrap())
}

fn document() -> String {
    let response = |status: &str| {
        json!({ "responses": {
            status: { "description": "Done." },
            "401": { "description": "No good key.", "headers": { "WWW-Authenticate": { "schema": { "type": "string" } } } },
        } })
    };
    let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "pattern": "^[a-z]{1,9}$" } }]);
    let mut document: Value = json!({
        "openapi": "3.1.0",
        "info": { "title": "Notes", "version": "1" },
        "paths": {
            "/health": { "get": response("200") },
            "/notes": { "get": response("200"), "post": response("201") },
            "/notes/{id}": { "parameters": id, "get": response("200"), "delete": response("204") },
        },
    });
    Security::of(&layer()).describe(&mut document).unwrap();
    document.to_string()
}

/// Sends requests with the key and without to the application, and returns the report, as an error if a response contradicts the document.
async fn explore(app: Router) -> Option<Result<String, String>> {
    let python = PYTHON.find()?;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let document = Document::new(&document());
    let path = document.path();
    let mut arguments = vec!["schemathesis.cli", "run", path.to_str().unwrap(), "--url", &url];
    arguments.extend([
        "--header",
        "Authorization: Bearer good",
        "--checks",
        "ignored_auth,not_a_server_error",
    ]);
    arguments.extend(["--generation-deterministic", "--max-examples", "10", "--no-color", "--warnings=off"]);
    arguments.push("--generation-with-security-parameters=false");
    Some(try_run(python, document.0.path(), &arguments).await)
}

#[tokio::test]
async fn the_described_document_is_valid() {
    let Some(python) = PYTHON.find() else { return };
    let document = Document::new(&document());
    run(python, document.0.path(), &["openapi_spec_validator", document.path().to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_need_a_key_reject_requests_without_one() {
    let Some(report) = explore(app(layer())).await else { return };
    let report = report.unwrap_or_else(|report| panic!("{report}"));
    assert!(report.lines().any(|line| line.contains("Tested:") && line.ends_with(" 5")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_forgot_the_layer_is_noticed() {
    let open = test_util::layer("good", |_| {}).optional();
    let Some(report) = explore(app(open)).await else { return };
    let report = report.unwrap_err();
    for operation in ["GET /notes", "POST /notes", "GET /notes/{id}", "DELETE /notes/{id}"] {
        assert!(report.contains(operation), "{operation}: {report}");
    }
}
