//! The catalogue of permissions: what it is made of, which changes it limits, and how it is listed.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::backend::{Grace, KeyFilter, KeyUpdate};
use tower_api_key::digest::Digester;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::manage::{
    KeyManager, ManageError, ManageErrorKind, NewKey, OPENAPI, Permissions, RotateOptions,
};
use tower_api_key::{ConfigError, MemoryStore, Owner, Scope, Scopes};

use crate::manage::schema::Schema;
use crate::manage::world::{Answer, World};

fn permissions() -> Permissions {
    Permissions::new()
        .group(
            "Notes",
            [("notes.read", "Read notes"), ("notes.write", "Write notes"), ("notes.*", "All of it")],
        )
        .and_then(|permissions| {
            permissions.group("Keys", [("keys.read", "Read keys"), ("keys.write", "Write keys")])
        })
        .unwrap()
}

fn limited(manager: KeyManager<MemoryStore>) -> KeyManager<MemoryStore> {
    manager.with_permissions(permissions())
}

fn new(scopes: &str) -> NewKey {
    NewKey::new(Owner::organization("acme")).scopes(Scopes::parse(scopes).unwrap())
}

fn update(scopes: &str) -> KeyUpdate {
    KeyUpdate::default().scopes(Scopes::parse(scopes).unwrap())
}

/// Asserts that an error is about the scopes, and returns what it says of each.
fn messages(error: &ManageError) -> Vec<&str> {
    assert_eq!(error.kind(), ManageErrorKind::Invalid, "{error}");
    let of_scopes = error.fields().iter().map(|error| (error.field, &*error.message));
    of_scopes.inspect(|(field, _)| assert_eq!(*field, "scopes")).map(|(_, message)| message).collect()
}

#[test]
fn a_catalogue_that_cannot_be_meant_is_an_error() {
    let none: [(&str, &str); 0] = [];
    let group = |name: &str, scopes: &[(&'static str, &'static str)]| {
        Permissions::new().group(name, scopes.iter().copied()).map(drop)
    };
    let again = |name: &str, scope: &str| permissions().group(name, [(scope, "Again")]).map(drop);
    let says = |result: Result<(), ConfigError>, rule: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Permissions, "{error}");
        assert_eq!(error.to_string(), format!("permissions are invalid: {rule}"));
    };
    says(group("Notes", &none), "the group `Notes` must have at least one scope");
    says(group(" ", &[("a", "A")]), "the name of a group must not be empty");
    says(group("Notes", &[("a", "A"), ("b", "\t")]), "the description of `b` must not be empty");
    says(group("Notes", &[("a", "A"), ("a", "B")]), "the scope `a` is listed twice");
    says(again("More", "keys.read"), "the scope `keys.read` is listed twice");
    says(again("Keys", "keys.more"), "the group `Keys` is listed twice");
    let error = group("Notes", &[("a b", "A")]).unwrap_err();
    assert!(
        error.kind() == ConfigErrorKind::Value && error.to_string().starts_with("scope is invalid"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_is_created_imported_and_updated_with_listed_scopes_only() {
    let world = World::with(limited);
    let manager = &world.manager;
    let key = manager.create(new("notes.read notes.* keys.write")).await.unwrap();
    let id = key.record().id.clone();
    let before = world.all().await;
    for (scopes, expected) in [
        ("notes.raed", &["no scope `notes.raed`; did you mean `notes.read`?"][..]),
        ("notes.read billing", &["no scope `billing`"]),
        // What is covered is not listed, and what covers is not either.
        ("notes.delete", &["no scope `notes.delete`"]),
        ("*", &["no scope `*`"]),
        ("keys.* Notes.read", &["no scope `keys.*`", "no scope `Notes.read`; did you mean `notes.read`?"]),
    ] {
        let digest = Digester::sha256().digest(b"from elsewhere");
        for result in [
            manager.create(new(scopes)).await.map(drop),
            manager.create_exclusive(&KeyFilter::all(), new(scopes)).await.map(drop),
            manager.import(digest, new(scopes)).await.map(drop),
            manager.import_text("a-key-from-elsewhere", new(scopes)).await.map(drop),
            manager.update(&id, update(scopes)).await.map(drop),
        ] {
            assert_eq!(messages(&result.unwrap_err()), expected, "{scopes}");
        }
    }
    assert_eq!(world.all().await, before);
    // No more are named than a client can read, and than can be compared quickly.
    let many: Vec<_> = (0..100).map(|number| format!("a{number:0>127}")).collect();
    let error = manager.create(new(&many.join(" "))).await.unwrap_err();
    assert_eq!(messages(&error), ["no scope `a0000000…`"; 5]);
    let empty = manager.clone().with_permissions(Permissions::new());
    assert_eq!(messages(&empty.create(new("notes.read")).await.unwrap_err()), ["no scope `notes.read`"]);
    assert!(empty.create(new("")).await.is_ok());
}

#[tokio::test]
async fn a_key_keeps_a_scope_that_is_no_longer_listed() {
    let world = World::with(limited);
    let manager = &world.manager;
    let earlier = manager.clone().with_permissions(
        Permissions::new()
            .group("Notes", [("notes.print", "Print notes"), ("notes.read", "Read notes")])
            .unwrap(),
    );
    let id = earlier.create(new("notes.print")).await.unwrap().record().id.clone();
    let updated = manager.update(&id, update("notes.print notes.write")).await.unwrap();
    assert_eq!(updated.scopes.to_string(), "notes.print notes.write");
    let error = manager.update(&id, update("notes.print notes.prnt")).await.unwrap_err();
    assert_eq!(messages(&error), ["no scope `notes.prnt`; did you mean `notes.write`?"]);
    let successor = manager.rotate(&id, RotateOptions::new(Grace::None)).await.unwrap();
    assert_eq!(successor.record().scopes, updated.scopes);
    let id = &successor.record().id;
    manager.update(id, update("notes.write")).await.unwrap();
    // It is gone, and does not come back.
    let error = manager.update(id, update("notes.print notes.write")).await.unwrap_err();
    assert_eq!(messages(&error).len(), 1, "{error}");
}

fn details(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    answer.body["errors"].as_array().unwrap().iter().map(|error| error["detail"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_unlisted_scope_tells_nothing_of_the_keys_of_others() {
    let world = World::new();
    let own = world.customer("acme", "notes.print").await;
    let foreign = world.customer("other", "notes.print").await;
    let admin = world.admin().await;
    let mut world = world;
    world.limit(permissions());
    let body = r#"{"scopes":["notes.print"]}"#;
    let path = |id: &str| format!("/admin/keys/{id}");
    let absent = world.ask(&admin, Method::PATCH, &path("key_unknown"), body).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    for body in [body, r#"{"scopes":["notes.prnt"]}"#] {
        let answer = world.ask(&admin, Method::PATCH, &path(foreign.record.id.as_str()), body).await;
        assert_eq!((answer.status, &answer.body), (absent.status, &absent.body), "{body}");
    }
    let own = path(own.record.id.as_str());
    assert_eq!(world.ask(&admin, Method::PATCH, &own, body).await.status, StatusCode::OK);
    let answer = world.ask(&admin, Method::PATCH, &own, r#"{"scopes":["notes.print","key.read"]}"#).await;
    assert_eq!(details(&answer), ["no scope `key.read`; did you mean `keys.read`?"]);
    // Of what is listed, a caller grants only what it has.
    let reader = world.customer("acme", "keys.write notes.read").await;
    let answer = world.ask(&reader, Method::POST, "/admin/keys", r#"{"scopes":["notes.*"]}"#).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_groups_are_listed_with_what_the_caller_can_grant() {
    let mut world = World::new();
    let callers =
        ["keys.read keys.write", "keys.read keys.write notes.*", "keys.read keys.write notes.read", "*"];
    let mut keys = Vec::new();
    for scopes in callers {
        keys.push(world.customer("acme", scopes).await);
    }
    world.limit(permissions());
    for caller in &keys {
        let answer = world.ask(caller, Method::GET, "/admin/permissions", "").await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let schema =
            Schema { document: &document, schema: &document["components"]["schemas"]["Permissions"] };
        schema.check(&answer.body).unwrap();
        let scopes: Vec<_> = permissions().scopes().map(Scope::to_string).collect();
        assert_eq!(answer.body["permissions"], json!(scopes));
        let groups = answer.body["groups"].as_array().unwrap();
        let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Notes", "Keys"]);
        let all: Vec<_> = groups.iter().flat_map(|group| group["permissions"].as_array().unwrap()).collect();
        assert_eq!(all.iter().map(|each| each["scope"].as_str().unwrap()).collect::<Vec<_>>(), scopes);
        assert_eq!(all[0]["description"], "Read notes");
        for each in all {
            let body = json!({ "scopes": [each["scope"]] }).to_string();
            let made =
                world.ask(caller, Method::POST, "/admin/keys", &body).await.status == StatusCode::CREATED;
            assert_eq!(each["grantable"], made, "{each} by {}", caller.record.scopes);
        }
    }
}
