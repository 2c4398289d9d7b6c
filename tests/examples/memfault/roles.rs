//! The rights of each role and of a token.

use http::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    BOB, Credential, ORGANIZATION, OTHER, OTHER_PROJECT, PROJECT, add_bob, ann_of, assert_error, basic, call,
    join, token_of, user_key,
};
use crate::server::Server;

/// Requests without effect if rejected, and the response to permitted callers.
fn calls() -> Vec<(&'static str, Method, String, Value, u16)> {
    let token = json!({ "description": "x" });
    let deployment = json!({ "type": "normal", "release": "1.0.0", "cohort": "default" });
    vec![
        ("read", Method::GET, PROJECT.to_owned(), Value::Null, 200),
        ("read", Method::GET, format!("{ORGANIZATION}/projects"), Value::Null, 200),
        ("read", Method::GET, format!("{PROJECT}/api_key"), Value::Null, 200),
        ("upload", Method::POST, format!("{PROJECT}/upload"), json!({ "kind": "MAR", "size": 1 }), 200),
        ("deploy", Method::POST, format!("{PROJECT}/deployments"), deployment, 201),
        ("cycle", Method::POST, format!("{PROJECT}/api_key"), Value::Null, 201),
        ("manage", Method::GET, format!("{ORGANIZATION}/auth_tokens"), Value::Null, 200),
        ("manage", Method::POST, format!("{ORGANIZATION}/auth_tokens"), token, 201),
        ("manage", Method::DELETE, format!("{ORGANIZATION}/auth_tokens/key_x"), Value::Null, 404),
        ("manage", Method::PATCH, ORGANIZATION.to_owned(), json!({ "requires_sso": false }), 200),
        ("manage", Method::POST, format!("{ORGANIZATION}/projects"), json!({ "slug": "smart-sink" }), 409),
        ("manage", Method::DELETE, format!("{ORGANIZATION}/members/unknown@example.com"), Value::Null, 404),
        (
            "manage",
            Method::PUT,
            format!("{ORGANIZATION}/members/c@example.com"),
            json!({ "role": "developer" }),
            204,
        ),
    ]
}

async fn may(server: &Server, credential: &Credential, granted: &[&str]) {
    for (what, method, path, body, status) in calls() {
        let answer = call(server, credential, method.clone(), &path, body.to_string()).await;
        if granted.contains(&what) {
            assert_eq!(answer.status.as_u16(), status, "{method} {path}: {:?}", answer.body);
        } else {
            assert_error(&answer, 403);
        }
    }
}

#[tokio::test]
async fn a_token_has_the_rights_of_a_project_manager() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "project_manager").await;
    let granted = ["read", "upload", "deploy", "cycle"];
    may(&server, &token_of(&server), &granted).await;
    may(&server, &basic(BOB.0, BOB.1), &granted).await;
    may(&server, &basic(BOB.0, &user_key(&server, &basic(BOB.0, BOB.1)).await), &granted).await;
}

#[tokio::test]
async fn a_developer_reads_and_uploads_and_an_admin_may_do_everything() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "developer").await;
    may(&server, &basic(BOB.0, BOB.1), &["read", "upload"]).await;
    may(&server, &ann_of(&server), &["read", "upload", "deploy", "cycle", "manage"]).await;
}

#[tokio::test]
async fn a_role_is_held_in_one_organization_and_says_nothing_of_another() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    // An admin here, a developer there.
    for (method, path) in [
        (Method::GET, format!("{OTHER}/auth_tokens")),
        (Method::POST, format!("{OTHER_PROJECT}/api_key")),
        (Method::PATCH, OTHER.to_owned()),
        (Method::PUT, format!("{OTHER}/members/ann@example.com")),
    ] {
        let body = json!({ "role": "admin" }).to_string();
        assert_error(&call(&server, &ann_of(&server), method, &path, body).await, 403);
    }
}

#[tokio::test]
async fn routes_about_a_person_are_for_that_person() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for (method, path) in [
        (Method::GET, "/auth/api_key"),
        (Method::POST, "/auth/api_key"),
        (Method::DELETE, "/auth/api_key"),
        (Method::PUT, "/auth/password"),
    ] {
        let body = json!({ "password": "x" }).to_string();
        assert_error(&call(&server, &token_of(&server), method, path, body).await, 403);
    }
}
