//! The security part of an application's document, from its layers.

use serde_json::{Value, json};
use tower_api_key::axum::RouteRules;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::openapi::Security;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Requirement, Source};

fn layer(sources: impl IntoIterator<Item = Source>) -> AuthenticateLayer {
    AuthenticateLayer::new(Authenticator::builder(MemoryStore::new()).sources(sources).build().unwrap())
}

fn bearer() -> AuthenticateLayer {
    layer([Source::bearer()])
}

fn document(paths: &Value) -> Value {
    json!({ "openapi": "3.1.0", "info": { "title": "Notes", "version": "1" }, "paths": paths })
}

/// Returns the `security` that is written into the operation `GET path`.
fn of_get(security: &Security, path: &str) -> Value {
    let mut document = document(&json!({ path: { "get": {} } }));
    security.describe(&mut document).unwrap();
    document["paths"][path]["get"]["security"].clone()
}

fn fault(security: &Security, mut document: Value) -> String {
    let before = document.clone();
    let error = security.describe(&mut document).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Document);
    assert_eq!(document, before);
    error.to_string()
}

#[test]
fn each_source_is_a_scheme() {
    let sources = [
        Source::x_api_key(),
        Source::basic(),
        Source::memfault_project_key(),
        Source::header("Key*1").unwrap(),
        Source::bearer(),
    ];
    let schemes = Security::of(&layer(sources)).schemes();
    let without = |mut scheme: Value| {
        assert!(scheme.as_object_mut().unwrap().remove("description").is_some());
        scheme
    };
    let found: Vec<_> = schemes.into_iter().map(|(name, scheme)| (name, without(scheme))).collect();
    let header = |name: &str| json!({ "type": "apiKey", "in": "header", "name": name });
    let expected = [
        ("apiKey", header("X-API-Key")),
        ("basic", json!({ "type": "http", "scheme": "basic" })),
        ("bearer", json!({ "type": "http", "scheme": "bearer" })),
        ("key_1", header("key*1")),
        ("memfault-project-key", header("memfault-project-key")),
    ];
    let mut found = found.into_iter().collect::<Vec<_>>();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected.map(|(name, scheme)| (name.to_owned(), scheme)));
}

#[test]
fn the_sources_of_all_authenticators_are_alternatives() {
    let authenticator =
        |sources: [Source; 2]| Authenticator::builder(MemoryStore::new()).sources(sources).build().unwrap();
    let bearer = |prefix: &str| Source::bearer().prefix(prefix).unwrap();
    let people = authenticator([bearer("user_"), Source::basic()]);
    let devices = authenticator([bearer("device_"), Source::x_api_key()]);
    let security = Security::of(&AuthenticateLayer::any_of([people, devices]).unwrap());
    assert_eq!(of_get(&security, "/a"), json!([{ "bearer": [] }, { "basic": [] }, { "apiKey": [] }]));
}

#[test]
fn rules_say_what_an_operation_needs() {
    let needs = |requirement: Requirement| Access::Scopes(requirement);
    let rules = RouteRules::new([
        ("/health", Access::Public),
        ("GET /notes", needs(Requirement::all_of(["notes.read", "notes.list"]).unwrap())),
        ("GET /notes/{id}", needs(Requirement::any_of(["notes.read", "admin"]).unwrap())),
        ("/notes/{id}", Access::AnyKey),
        ("/files/{*path}", needs(Requirement::all_of(["files"]).unwrap())),
    ]);
    let security = Security::of(&bearer().rules(rules.unwrap()));
    for (path, expected) in [
        ("/health", json!([])),
        ("/notes", json!([{ "bearer": ["notes.read", "notes.list"] }])),
        ("/notes/{id}", json!([{ "bearer": ["notes.read"] }, { "bearer": ["admin"] }])),
        ("/files/{path}", json!([{ "bearer": ["files"] }])),
    ] {
        assert_eq!(of_get(&security, path), expected, "{path}");
    }
    let mut others = document(&json!({ "/notes/{id}": { "parameters": [], "delete": {}, "head": {} } }));
    security.describe(&mut others).unwrap();
    let item = &others["paths"]["/notes/{id}"];
    assert_eq!(item["delete"]["security"], json!([{ "bearer": [] }]));
    // As a request: a rule for GET also holds for HEAD.
    assert_eq!(item["head"]["security"], json!([{ "bearer": ["notes.read"] }, { "bearer": ["admin"] }]));
    assert_eq!(item["parameters"], json!([]));
}

#[test]
fn a_caller_meets_the_rules_of_both_layers() {
    let outer = PathRules::new([
        ("/a", Access::Scopes(Requirement::any_of(["x", "y"]).unwrap())),
        ("/b", Access::AnyKey),
    ]);
    let security =
        Security::of(&bearer().rules(outer.unwrap())).rules(PathRules::new([("/a", "z")]).unwrap());
    assert_eq!(of_get(&security, "/a"), json!([{ "bearer": ["x", "z"] }, { "bearer": ["y", "z"] }]));
    // The inner layer may cover some routes only.
    assert_eq!(of_get(&security, "/b"), json!([{ "bearer": [] }]));
}

#[test]
fn without_rules_every_path_needs_a_key_unless_it_is_public() {
    let layer = bearer().public("/health").unwrap().public_prefix("/docs").unwrap();
    let security = Security::of(&layer);
    for (path, expected) in [
        ("/health", json!([])),
        ("/docs/{page}", json!([])),
        ("/docs-internal", json!([{ "bearer": [] }])),
        ("/notes", json!([{ "bearer": [] }])),
    ] {
        assert_eq!(of_get(&security, path), expected, "{path}");
    }
    assert_eq!(of_get(&Security::of(&layer.clone().optional()), "/notes"), json!([{ "bearer": [] }, {}]));
    // What rules inside guard is not optional.
    let inner = PathRules::new([("/notes", "notes.read"), ("/open", "a"), ("GET /any", "a")]).unwrap();
    let security = Security::of(&layer.clone().optional()).rules(inner);
    assert_eq!(of_get(&security, "/notes"), json!([{ "bearer": ["notes.read"] }]));
    assert_eq!(of_get(&security, "/others"), json!([{ "bearer": [] }, {}]));
    // As the layer: rules that name a path decide, public paths only about others.
    let rules = PathRules::new([("/health", Access::AnyKey)]).unwrap();
    let security = Security::of(&layer.optional().rules(rules));
    assert_eq!(of_get(&security, "/health"), json!([{ "bearer": [] }]));
    assert_eq!(of_get(&security, "/docs"), json!([]));
}

#[test]
fn what_the_document_says_of_itself_stays() {
    let token = json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" });
    let mut own = document(&json!({ "/signup": { "post": { "security": [{}] } }, "/notes": { "get": {} } }));
    own["components"] = json!({ "securitySchemes": { "bearer": token, "session": {} }, "schemas": {} });
    let rules = PathRules::new([("/notes", Access::AnyKey)]).unwrap();
    Security::of(&bearer().rules(rules)).describe(&mut own).unwrap();
    assert_eq!(own["paths"]["/signup"]["post"]["security"], json!([{}]));
    assert_eq!(own["paths"]["/notes"]["get"]["security"], json!([{ "bearer": [] }]));
    assert_eq!(own["components"]["securitySchemes"], json!({ "bearer": token, "session": {} }));
}

#[test]
fn a_document_that_the_layers_contradict_is_an_error() {
    let security = Security::of(&bearer().rules(PathRules::new([("GET /a", Access::AnyKey)]).unwrap()));
    for path in ["/a", "/b"] {
        let message = fault(&security, document(&json!({ path: { "post": {} } })));
        let expected = format!("the OpenAPI document describes POST {path}, which the rules do not declare");
        assert_eq!(message, expected);
    }
    // The rules decide about a path that they name, with any method; and so do those of a layer inside.
    let rules = || PathRules::new([("GET /a", Access::AnyKey)]).unwrap();
    let post = || document(&json!({ "/a": { "post": {} } }));
    for security in
        [Security::of(&bearer().public("/a").unwrap().rules(rules())), Security::of(&bearer()).rules(rules())]
    {
        assert!(fault(&security, post()).ends_with("describes POST /a, which the rules do not declare"));
    }
    let inner = PathRules::new([("/open", Access::AnyKey)]).unwrap();
    let security = Security::of(&bearer().public("/open").unwrap()).rules(inner);
    let message = fault(&security, document(&json!({ "/open": { "get": {} } })));
    assert!(
        message.ends_with("describes GET /open, which is public, and needs a key by rules inside"),
        "{message}"
    );
}

#[test]
fn a_text_that_is_no_document_is_an_error() {
    let security = Security::of(&bearer());
    let mut taken = document(&json!({}));
    taken["components"] = json!({ "securitySchemes": { "bearer": { "type": "oauth2" } } });
    let with = |name: &str, value: Value| {
        let mut document = document(&json!({}));
        document[name] = value;
        document
    };
    for (document, expected) in [
        (with("openapi", json!("3.0.3")), "must be of OpenAPI 3.1 or later, got \"3.0.3\""),
        (with("openapi", json!(3.1)), "must be of OpenAPI 3.1 or later, got \"no version\""),
        (json!([]), "must be of OpenAPI 3.1 or later, got \"no version\""),
        (with("paths", Value::Null), "must have an object `paths`"),
        (with("paths", json!({ "/a": [] })), "must have an object under `/a`"),
        (with("components", json!([])), "`components` and its `securitySchemes` must be objects"),
        (taken, "must have no other security scheme under the name `bearer`"),
    ] {
        assert_eq!(fault(&security, document), format!("the OpenAPI document {expected}"));
    }
}
