//! The OpenAPI document describes exactly the responses.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode};
use regex::Regex;
use serde_json::{Value, json};
use tower_api_key::backend::{Grace, OwnerChange, OwnerStore};
use tower_api_key::manage::{ExternalCaller, OPENAPI, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::record::Revocation;
use tower_api_key::test_util::Behaviour;
use tower_api_key::{Owner, Source};

use crate::manage::schema::Schema;
use crate::manage::world::{Answer, Customer, START, World};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "patch", "trace"];

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// A service with all that the document has.
fn world() -> World {
    World::with_settings(|settings| {
        settings.self_routes().across_environments().sources([Source::bearer(), Source::x_api_key()])
    })
}

/// An operation of the document.
#[derive(Clone, Copy)]
struct Operation<'d> {
    path: &'d str,
    method: &'static str,
    description: &'d Value,
}

impl Operation<'_> {
    fn method(&self) -> Method {
        self.method.to_uppercase().parse().unwrap()
    }

    fn uri(&self, id: &str) -> String {
        format!("/admin{}", self.path.replace("{id}", id))
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| METHODS.map(|method| (path, method, item.get(method))));
    all.filter_map(|(path, method, found)| found.map(|description| Operation { path, method, description }))
        .collect()
}

#[tokio::test]
async fn the_document_and_the_router_have_the_same_routes() {
    let document = document();
    let world = world();
    let admin = world.admin().await;
    let paths = document["paths"].as_object().unwrap();
    let target = world.customer("acme", "a").await;
    for (path, item) in paths {
        let uri = format!("/admin{}", path.replace("{id}", target.record.id.as_str()));
        for method in METHODS {
            let answer = world.ask(&admin, method.to_uppercase().parse().unwrap(), &uri, "[]").await;
            let is_none = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_none, item.get(method).is_none(), "{method} {path}: {}", answer.status);
            assert_ne!(answer.body["detail"], "No such route", "{method} {path}");
        }
        let answer = world.ask(&admin, Method::PUT, &uri, "").await;
        let allowed: BTreeSet<_> =
            answer.headers["allow"].to_str().unwrap().split(',').map(str::to_lowercase).collect();
        let methods = METHODS.into_iter().filter(|method| item.get(method).is_some());
        let head = item.get("get").map(|_| "head");
        assert_eq!(allowed, methods.chain(head).map(str::to_owned).collect(), "{path}");
    }
    let code = include_str!("../../../src/manage/routes/mod.rs");
    let route = Regex::new(r#"settings\.path\("([^"]+)""#).unwrap();
    let routes: BTreeSet<_> = route.captures_iter(code).map(|found| found.extract::<1>().1[0]).collect();
    assert_eq!(routes, paths.keys().map(String::as_str).collect());
}

#[test]
fn the_document_has_the_version_of_the_crate() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_examples_match_their_schemas() {
    fn walk(document: &Value, value: &Value, found: &mut usize) {
        if let (Some(schema), Some(example)) = (value.get("schema"), value.get("example")) {
            Schema { document, schema }.check(example).unwrap();
            *found += 1;
        }
        if let (Some(_), Some(Value::Array(examples))) = (value.get("type"), value.get("examples")) {
            for example in examples {
                Schema { document, schema: value }.check(example).unwrap();
            }
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| walk(document, field, found)),
            Value::Array(items) => items.iter().for_each(|item| walk(document, item, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), 0);
    walk(&document, &document, &mut found);
    assert!(found > 10, "{found}");
}

/// Sends a request for each documented response.
#[tokio::test]
async fn every_documented_answer_is_given_as_it_is_documented() {
    let document = document();
    for operation in operations(&document) {
        for (status, answer) in operation.description["responses"].as_object().unwrap() {
            let asked = ask_for(operation, status).await;
            let name = format!("{status} of {} {}: {}", operation.method, operation.path, asked.body);
            assert_eq!(asked.status.as_str(), status, "{name}");
            check(&document, Schema::resolve(&document, answer), &asked).expect(&name);
        }
    }
}

/// Sends a request that should get this status.
async fn ask_for(operation: Operation<'_>, status: &str) -> Answer {
    let world = world();
    let (admin, other) = (world.admin().await, world.customer("acme", "notes.read").await);
    let replaced = world.customer("acme", "notes.read").await.record.id;
    world.manager.rotate(&replaced, RotateOptions::new(Grace::None)).await.unwrap();
    assert!(world.admits(&admin.text).await && world.admits(&other.text).await);
    world.usage.flush().await.unwrap();
    let send = async |caller: &Customer, uri: &str, body: &str| {
        world.ask(caller, operation.method(), uri, body).await
    };
    let (own, absent) = (operation.uri(other.record.id.as_str()), operation.uri("key_unknown"));
    let is_own = operation.path.starts_with("/keys/self");
    match status {
        "400" => {
            let twice =
                ["authorization", "authorization"].map(|name| (name, format!("Bearer {}", admin.text)));
            world.send(&twice, operation.method(), &own, "").await
        }
        "401" => world.ask_with("unknown", operation.method(), &own, "").await,
        "403" if is_own => {
            let mut closed = Organization::new("acme");
            closed.disabled = true;
            let store = world.backend.get_ref();
            store.change_owner(OwnerChange::put_organization(closed)).await.unwrap();
            send(&other, &own, "").await
        }
        "404" if is_own => {
            let world = World::with_settings(|settings| settings.self_routes().external_callers());
            world.ask(&world.admin().await, operation.method(), &own, "").await
        }
        "409" if is_own && operation.method == "post" => {
            let grace = RotateOptions::new(Grace::For(Duration::from_secs(1)));
            world.manager.rotate(&other.record.id, grace).await.unwrap();
            send(&other, &own, "").await
        }
        "403" => send(&other, &own, "").await,
        "404" if operation.path == "/audit" => send(&admin, &format!("{own}?key=key_unknown"), "").await,
        "404" => send(&admin, &absent, "").await,
        "409" if operation.path == "/keys" => {
            let signed_in = async |_: Parts| {
                let caller = ExternalCaller::new("user:ann", Owner::organization("gone"));
                Ok::<_, Infallible>(caller.unwrap().scopes("keys.write".parse().unwrap()))
            };
            let world = World::with_settings(|settings| settings.resolve_callers(signed_in));
            let store = world.backend.get_ref();
            let deleted = OwnerChange::delete_organization("gone", Revocation::new(START, "left"));
            for change in [OwnerChange::put_organization(Organization::new("gone")), deleted] {
                store.change_owner(change).await.unwrap();
            }
            world.ask(&world.admin().await, operation.method(), &own, "").await
        }
        "409" if operation.method == "delete" => {
            send(&admin, &operation.uri(admin.record.id.as_str()), "").await
        }
        "409" => {
            world.manager.revoke(&other.record.id, "").await.unwrap();
            send(&admin, &own, "").await
        }
        "408" => {
            // Nothing else is pending, so the paused time advances at once.
            tokio::time::pause();
            let answer = world.send_half(&admin, operation.method(), &own).await;
            tokio::time::resume();
            answer
        }
        "413" => send(&admin, &own, &"x".repeat(70_000)).await,
        "422" if operation.method == "delete" => {
            send(&admin, &format!("{own}?reason={}", "x".repeat(256)), "").await
        }
        "422" => send(&admin, &own, &json!({ "expires_at": 7, "other": 8 }).to_string()).await,
        "503" => {
            let fresh = world.admin().await;
            world.backend.set(Behaviour::Fail);
            send(&fresh, &own, "").await
        }
        // Also without the scopes of the routes.
        _ if is_own => send(&other, &own, "").await,
        _ => send(&admin, &own, "").await,
    }
}

/// Checks headers and body.
fn check(document: &Value, described: &Value, answer: &Answer) -> Result<(), String> {
    for (name, header) in described["headers"].as_object().unwrap() {
        let header = Schema::resolve(document, header);
        let found = answer.headers.get(name).map(|value| value.to_str().unwrap());
        let Some(text) = found else {
            assert_ne!(header["required"], true, "{name}");
            continue;
        };
        let value = if header["schema"]["type"] == "integer" {
            json!(text.parse::<u64>().unwrap())
        } else {
            json!(text)
        };
        Schema { document, schema: &header["schema"] }.check(&value)?;
    }
    let Some(schema) = described.pointer("/content/application~1json/schema") else {
        return if answer.body.is_null() { Ok(()) } else { Err("no body".to_owned()) };
    };
    assert_eq!(answer.headers["content-type"], "application/json");
    let schema = Schema { document, schema };
    assert_notices_changes(&schema, &answer.body);
    schema.check(&answer.body)
}

/// Checks the check: an object of a response fails without any one of its fields, and with an additional one.
fn assert_notices_changes(schema: &Schema<'_>, body: &Value) {
    let optional = ["errors"];
    let fields = body.as_object().unwrap();
    for name in fields.keys().filter(|name| !optional.contains(&name.as_str())) {
        let mut changed = fields.clone();
        changed.remove(name);
        assert!(schema.check(&changed.into()).is_err(), "without {name}");
    }
    let mut changed = fields.clone();
    changed.insert("another".to_owned(), Value::Null);
    assert!(schema.check(&changed.into()).is_err());
}
