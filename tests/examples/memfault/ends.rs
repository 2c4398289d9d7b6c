//! Each credential stops working at once.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    BOB, Credential, ORGANIZATION, OTHER_PROJECT, PROJECT, add_bob, ann_of, assert_error, basic, bearer,
    call, get, join, post, project_key, slugs, user_key,
};
use crate::server::Server;

/// Enough requests for a credential to be cached.
const OFTEN: usize = 5;

async fn is_admitted(server: &Server, credential: &Credential, path: &str) {
    for _ in 0..OFTEN {
        let answer = get(server, credential, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }
}

async fn is_rejected(server: &Server, credential: &Credential, path: &str, status: u16) {
    for _ in 0..OFTEN {
        assert_error(&get(server, credential, path).await, status);
    }
}

#[tokio::test]
async fn a_token_that_was_deleted_is_rejected_from_the_very_next_request_on() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let tokens = format!("{ORGANIZATION}/auth_tokens");
    let made = post(&server, &ann_of(&server), &tokens, &json!({ "description": "CI" })).await.json();
    let text = made["data"]["token"].as_str().unwrap();
    let path = format!("{tokens}/{}", made["data"]["id"].as_str().unwrap());
    for token in [bearer(text), basic("", text)] {
        is_admitted(&server, &token, PROJECT).await;
    }
    let deleted = call(&server, &ann_of(&server), Method::DELETE, &path, "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    for token in [bearer(text), basic("", text)] {
        is_rejected(&server, &token, PROJECT, 401).await;
    }
    is_admitted(&server, &bearer(server.key("organization_token")), PROJECT).await;
}

#[tokio::test]
async fn a_users_key_that_was_cycled_or_deleted_is_rejected() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let first = ann_of(&server);
    is_admitted(&server, &first, PROJECT).await;
    let second = basic(server.key("email"), &user_key(&server, &first).await);
    is_rejected(&server, &first, PROJECT, 401).await;
    is_admitted(&server, &second, PROJECT).await;

    let deleted = call(&server, &second, Method::DELETE, "/auth/api_key", "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    is_rejected(&server, &second, PROJECT, 401).await;
    // The password is a separate credential, and creates a new key.
    let password = basic(server.key("email"), server.key("password"));
    assert_error(&get(&server, &password, "/auth/api_key").await, 404);
    is_admitted(&server, &basic(server.key("email"), &user_key(&server, &password).await), PROJECT).await;
}

#[tokio::test]
async fn a_removed_member_is_rejected_there_and_admitted_elsewhere() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let people = [ann_of(&server), basic(server.key("email"), server.key("password"))];
    for ann in &people {
        is_admitted(&server, ann, PROJECT).await;
    }
    let path = format!("{ORGANIZATION}/members/{}", server.key("email"));
    let removed = call(&server, &ann_of(&server), Method::DELETE, &path, "").await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    for ann in &people {
        is_rejected(&server, ann, PROJECT, 403).await;
        is_admitted(&server, ann, OTHER_PROJECT).await;
        assert_eq!(slugs(&get(&server, ann, "/api/v0/organizations").await), ["globex"]);
    }
    // Tokens of the organization do not depend on the person.
    is_admitted(&server, &bearer(server.key("organization_token")), PROJECT).await;
}

#[tokio::test]
async fn a_role_is_the_one_that_is_held_now() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    let bob = basic(BOB.0, &user_key(&server, &basic(BOB.0, BOB.1)).await);
    let cycles =
        async || post(&server, &bob, &format!("{PROJECT}/api_key"), &Value::Null).await.status.as_u16();
    let manages = async || get(&server, &bob, &format!("{ORGANIZATION}/auth_tokens")).await.status.as_u16();

    assert_eq!((cycles().await, manages().await), (403, 403), "not a member");
    for (role, cycled, managed) in
        [("developer", 403, 403), ("project_manager", 201, 403), ("admin", 201, 200), ("developer", 403, 403)]
    {
        join(&server, BOB.0, role).await;
        is_admitted(&server, &bob, PROJECT).await;
        assert_eq!((cycles().await, manages().await), (cycled, managed), "{role}");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_rejected_and_the_new_one_is_not() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let email = server.key("email");
    let (old, new) = (basic(email, server.key("password")), basic(email, "another one"));
    is_admitted(&server, &old, PROJECT).await;
    is_rejected(&server, &new, PROJECT, 401).await;
    let change = json!({ "password": "another one" }).to_string();
    // A stolen key does not grant access to the account.
    let by_key = call(&server, &ann_of(&server), Method::PUT, "/auth/password", change.clone()).await;
    assert_error(&by_key, 403);
    let changed = call(&server, &old, Method::PUT, "/auth/password", change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
    is_rejected(&server, &old, PROJECT, 401).await;
    is_admitted(&server, &new, PROJECT).await;
    is_admitted(&server, &ann_of(&server), PROJECT).await;
}

#[tokio::test]
async fn no_password_is_set_that_could_not_be_presented() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (email, old) = (server.key("email"), server.key("password"));
    // As many bytes as fit into 512 of base64, beside the e-mail and a colon.
    let most = 384 - email.len() - 1;
    for (length, is_set) in [(200, false), (most / 2 + 1, false), (most / 2, true)] {
        let password = "\u{e9}".repeat(length);
        let change = json!({ "password": password }).to_string();
        let answer = call(&server, &basic(email, old), Method::PUT, "/auth/password", change).await;
        if is_set {
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
            is_admitted(&server, &basic(email, &password), PROJECT).await;
        } else {
            assert_error(&answer, 400);
            is_admitted(&server, &basic(email, old), PROJECT).await;
        }
    }
}

#[tokio::test]
async fn a_project_key_that_was_cycled_is_rejected_and_its_successor_is_not() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let sends = async |key: &str| {
        let device = project_key(key);
        call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await.status.as_u16()
    };
    let old = server.key("project_key");
    assert_eq!((sends(old).await, sends(old).await), (202, 202));
    let token = bearer(server.key("organization_token"));
    let cycled = post(&server, &token, &format!("{PROJECT}/api_key"), &Value::Null).await;
    assert_eq!(cycled.status, StatusCode::CREATED);
    let new = cycled.json()["data"]["api_key"].as_str().unwrap().to_owned();
    assert_eq!((sends(old).await, sends(&new).await), (401, 202));
    let read = get(&server, &token, &format!("{PROJECT}/api_key")).await;
    assert_eq!(read.json()["data"]["api_key"], new);
}

#[tokio::test]
async fn of_keys_that_are_cycled_at_once_one_is_left() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let token = bearer(server.key("organization_token"));
    let path = format!("{PROJECT}/api_key");
    let cycled = async || {
        let cycled = post(&server, &token, &path, &Value::Null).await;
        assert_eq!(cycled.status, StatusCode::CREATED);
        cycled.json()["data"]["api_key"].as_str().unwrap().to_owned()
    };
    let (a, b, c, d, e, f) = tokio::join!(cycled(), cycled(), cycled(), cycled(), cycled(), cycled());
    let shown = get(&server, &token, &path).await.json()["data"]["api_key"].clone();
    for key in [a, b, c, d, e, f] {
        let device = project_key(&key);
        let sent = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
        assert_eq!(sent.status == StatusCode::ACCEPTED, key == shown, "{}", sent.status);
    }
}
