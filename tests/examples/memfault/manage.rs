//! Creating, showing and deleting tokens, keys, projects and members.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    BOB, Credential, ORGANIZATION, OTHER, PROJECT, add_bob, ann_of, assert_error, basic, bearer, call, get,
    join, post, project_key, slugs, token_of, user_key,
};
use crate::server::Server;

async fn tokens(server: &Server) -> Vec<Value> {
    let list = get(server, &ann_of(server), &format!("{ORGANIZATION}/auth_tokens")).await;
    list.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_token_is_shown_once_and_listed_by_its_hint() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let path = format!("{ORGANIZATION}/auth_tokens");
    let made = post(&server, &ann_of(&server), &path, &json!({ "description": "nightly build" })).await;
    assert_eq!(
        (made.status, &made.headers["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().unwrap())
    );
    let made = made.json()["data"].clone();
    let text = made["token"].as_str().unwrap();
    assert!(text.starts_with("oat_"), "{text}");
    assert_eq!(get(&server, &bearer(text), PROJECT).await.status, StatusCode::OK);

    let list = tokens(&server).await;
    assert_eq!(list.len(), 2, "the project's key is not among them");
    let shown =
        json!({ "id": made["id"], "description": "nightly build", "hint": format!("{}...", &text[..10]) });
    assert_eq!(list[1], shown);
    assert!(!Value::from(list.clone()).to_string().contains(text));
    let rest =
        get(&server, &ann_of(&server), &format!("{path}?after={}", list[0]["id"].as_str().unwrap())).await;
    assert_eq!(rest.json()["data"], json!([shown]));
    for query in ["?after=%27%20", "?owner=x", "?after=a&after=b"] {
        assert_error(&get(&server, &ann_of(&server), &format!("{path}{query}")).await, 400);
    }
}

#[tokio::test]
async fn keys_other_than_tokens_of_the_organization_are_not_deleted() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let ann = ann_of(&server);
    // The id of the key of a project, by what it leaves behind, and of a person.
    let device = project_key(server.key("project_key"));
    call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    let own_project = get(&server, &ann, &format!("{PROJECT}/files")).await.json()["data"][0]["by"].clone();
    let own_key = get(&server, &ann, "/auth/api_key").await.json()["data"]["id"].clone();
    let before = tokens(&server).await;
    for id in [own_project.as_str().unwrap(), own_key.as_str().unwrap(), "key_unknown", "'--"] {
        let path = format!("{ORGANIZATION}/auth_tokens/{id}");
        let answer = call(&server, &ann, Method::DELETE, &path, "").await;
        assert_error(&answer, 404);
    }
    assert_eq!(tokens(&server).await, before);
    assert_eq!(get(&server, &ann, PROJECT).await.status, StatusCode::OK);
    let chunk = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_token_of_another_organization_is_not_found() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "admin").await;
    let own = tokens(&server).await[0]["id"].as_str().unwrap().to_owned();
    let bob = basic(BOB.0, BOB.1);
    // An admin of one organization names the token of another under the own organization, and under the other one.
    let foreign = call(&server, &bob, Method::DELETE, &format!("{OTHER}/auth_tokens/{own}"), "").await;
    assert_error(&foreign, 403);
    let deleted = call(&server, &bob, Method::DELETE, &format!("{ORGANIZATION}/auth_tokens/{own}"), "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_error(&get(&server, &token_of(&server), PROJECT).await, 401);
}

#[tokio::test]
async fn a_users_key_is_32_hexadecimal_characters_and_shown_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let is_hex =
        |key: &str| key.len() == 32 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex(server.key("user_key")));
    let key = user_key(&server, &ann_of(&server)).await;
    assert!(is_hex(&key), "{key}");
    let shown = get(&server, &basic(server.key("email"), &key), "/auth/api_key").await.json();
    assert_eq!(shown["data"]["hint"], format!("{}...", &key[..4]));
    assert!(!shown.to_string().contains(&key));
}

#[tokio::test]
async fn a_project_has_a_key_from_the_start_which_every_member_may_read() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "developer").await;
    let projects = format!("{ORGANIZATION}/projects");
    let made = post(&server, &ann_of(&server), &projects, &json!({ "slug": "smart-lamp" })).await;
    assert_eq!(made.status, StatusCode::CREATED);

    for reader in [ann_of(&server), token_of(&server), basic(BOB.0, BOB.1)] {
        let key = async |path: &str| {
            let read = get(&server, &reader, &format!("{path}/api_key")).await.json();
            read["data"]["api_key"].as_str().unwrap().to_owned()
        };
        assert_eq!(key(PROJECT).await, server.key("project_key"));
        let lamp = key(&format!("{projects}/smart-lamp")).await;
        let chunk = call(&server, &project_key(&lamp), Method::POST, "/api/v0/chunks/lamp-1", "chunk").await;
        assert_eq!(chunk.status, StatusCode::ACCEPTED);
    }
    let other = bearer(server.key("other_organization_token"));
    assert_error(&get(&server, &other, &format!("{PROJECT}/api_key")).await, 403);
}

#[tokio::test]
async fn bad_input_is_rejected_and_nothing_is_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let ann: Credential = ann_of(&server);
    let long = "x".repeat(256);
    let state = async || {
        let projects = slugs(&get(&server, &ann, &format!("{ORGANIZATION}/projects")).await);
        let deployments = get(&server, &ann, &format!("{PROJECT}/deployments")).await.json();
        (tokens(&server).await, projects, deployments, get(&server, &ann, ORGANIZATION).await.json())
    };
    let before = state().await;
    let bodies = |bodies: &[Value]| -> Vec<String> {
        let bad = ["", "{", "null", "[]", "[\"a\"]", "{}", "\u{0}"].map(str::to_owned);
        bad.into_iter().chain(bodies.iter().map(Value::to_string)).collect()
    };
    for (method, path, bodies) in [
        (
            Method::POST,
            format!("{ORGANIZATION}/auth_tokens"),
            bodies(&[
                json!({ "description": 7 }),
                json!({ "description": "" }),
                json!({ "description": "  " }),
                json!({ "description": long }),
                json!({ "description": "a\u{0}b" }),
                json!({ "description": "a", "scopes": ["*"] }),
            ]),
        ),
        (
            Method::POST,
            format!("{ORGANIZATION}/projects"),
            bodies(&[
                json!({ "slug": "" }),
                json!({ "slug": "Smart Lamp" }),
                json!({ "slug": "a/b" }),
                json!({ "slug": "x".repeat(65) }),
                json!({ "slug": ["a"] }),
            ]),
        ),
        (
            Method::POST,
            format!("{PROJECT}/deployments"),
            bodies(&[
                json!({ "type": "normal", "release": "1.0.0" }),
                json!({ "type": "sudden", "release": "1.0.0", "cohort": "default" }),
                json!({ "type": "normal", "release": ["1", "2", "3"], "cohort": "default" }),
                json!({ "type": "normal", "release": "1.0.0", "cohort": long }),
                json!({ "type": "staged_rollout", "release": "1.0.0", "cohort": "default", "rollout_percent": 101 }),
            ]),
        ),
        (
            Method::PATCH,
            ORGANIZATION.to_owned(),
            bodies(&[json!({ "requires_sso": "yes" }), json!({ "disabled": true })]),
        ),
        (
            Method::PUT,
            format!("{ORGANIZATION}/members/carl@example.com"),
            bodies(&[
                json!({ "role": "owner" }),
                json!({ "role": "" }),
                json!({ "role": "admin", "scopes": "*" }),
            ]),
        ),
        (
            Method::PUT,
            "/auth/password".to_owned(),
            bodies(&[
                json!({ "password": "" }),
                json!({ "password": "7 signs" }),
                json!({ "password": " ".repeat(20) }),
                json!({ "password": long }),
            ]),
        ),
    ] {
        for body in bodies {
            let credential = if path.starts_with("/auth") {
                basic(server.key("email"), server.key("password"))
            } else {
                ann.clone()
            };
            let answer = call(&server, &credential, method.clone(), &path, body.clone()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path} {body}: {:?}", answer.body);
            assert_error(&answer, 400);
        }
    }
    for email in ["unknown", "@", "a%20b@example.com", "a:b@example.com", "%00@example.com"] {
        let path = format!("{ORGANIZATION}/members/{email}");
        let body = json!({ "role": "admin" }).to_string();
        assert_error(&call(&server, &ann, Method::PUT, &path, body).await, 404);
    }
    assert_eq!(state().await, before);
}

#[tokio::test]
async fn a_field_that_stands_twice_is_rejected() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (ann, before) = (ann_of(&server), tokens(&server).await);
    for (method, path, body) in [
        (Method::POST, format!("{ORGANIZATION}/auth_tokens"), r#"{"description": "a", "description": "b"}"#),
        (Method::PATCH, ORGANIZATION.to_owned(), r#"{"requires_sso": false, "requires_sso": true}"#),
        (
            Method::PUT,
            format!("{ORGANIZATION}/members/{}", BOB.0),
            r#"{"role": "developer", "role": "admin"}"#,
        ),
        (Method::POST, format!("{PROJECT}/upload"), r#"{"kind": "MAR", "size": 1, "size": 2}"#),
    ] {
        assert_error(&call(&server, &ann, method, &path, body).await, 400);
    }
    assert_eq!(tokens(&server).await, before);
}
