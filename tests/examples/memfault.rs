//! The documented behaviour of Memfault.

mod cli;
mod ends;
mod headers;
mod held;
mod manage;
mod memory;
mod reach;
mod roles;
mod uploads;

pub(crate) use cli::PYTHON;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::process::Command;
use tower_api_key::SqliteStore;
use tower_api_key::backend::{OwnerChange, OwnerStore};
use tower_api_key::password::Passwords;

use crate::client::{Answer, send};
use crate::curl::{curl, has_no_curl};
use crate::server::{Server, run_in_vain};
use support::outside::{is_absent, is_program};

const ORGANIZATION: &str = "/api/v0/organizations/acme-inc";
const PROJECT: &str = "/api/v0/organizations/acme-inc/projects/smart-sink";
/// To which the same person belongs as a developer.
const OTHER: &str = "/api/v0/organizations/globex";
const OTHER_PROJECT: &str = "/api/v0/organizations/globex/projects/smart-sink";

const BOB: (&str, &str) = ("bob@example.com", "correct horse: battery, stäple");

/// A header that holds a credential.
type Credential = (&'static str, String);

fn bearer(key: &str) -> Credential {
    ("authorization", format!("Bearer {key}"))
}

fn basic(user: &str, secret: &str) -> Credential {
    ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
}

fn project_key(key: &str) -> Credential {
    ("memfault-project-key", key.to_owned())
}

fn token_of(server: &Server) -> Credential {
    bearer(server.key("organization_token"))
}

fn ann_of(server: &Server) -> Credential {
    basic(server.key("email"), server.key("user_key"))
}

async fn call(
    server: &Server,
    credential: &Credential,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Answer {
    with_headers(server, std::slice::from_ref(credential), method, path, body).await
}

async fn with_headers(
    server: &Server,
    headers: &[Credential],
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    send(request.body(Full::new(body.into())).unwrap()).await
}

async fn get(server: &Server, credential: &Credential, path: &str) -> Answer {
    call(server, credential, Method::GET, path, "").await
}

async fn post(server: &Server, credential: &Credential, path: &str, body: &Value) -> Answer {
    call(server, credential, Method::POST, path, body.to_string()).await
}

/// Asserts the status of an answer, and the shape of all errors.
fn assert_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.json();
    let error = body["error"].as_object().unwrap();
    assert!(error["message"].is_string() && error["type"].is_string(), "{body}");
    assert!(error.len() == 2 && body.as_object().unwrap().len() == 1, "{body}");
}

async fn add_bob(folder: &Path) {
    add_person(folder, BOB.0, BOB.1).await;
}

/// Adds a person with a password to the database of an example, before it is started.
pub(crate) async fn add_person(folder: &Path, email: &str, password: &str) {
    let store = SqliteStore::open(&format!("sqlite:{}", folder.join("keys.db").display())).await.unwrap();
    store.change_owner(OwnerChange::put_user(email)).await.unwrap();
    let hash = Passwords::new().unwrap().hash(password).await.unwrap();
    store.change_owner(OwnerChange::set_password(email, Some(hash))).await.unwrap();
    store.close().await;
}

/// Creates a key with a password, or with the key that it replaces.
async fn user_key(server: &Server, credential: &Credential) -> String {
    let made = post(server, credential, "/auth/api_key", &Value::Null).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!(made.headers["cache-control"], "no-store");
    made.json()["data"]["api_key"].as_str().unwrap().to_owned()
}

/// Gives a person a role in the organization.
async fn join(server: &Server, email: &str, role: &str) {
    let path = format!("{ORGANIZATION}/members/{email}");
    let body = json!({ "role": role }).to_string();
    let joined = call(server, &ann_of(server), Method::PUT, &path, body).await;
    assert_eq!(joined.status, StatusCode::NO_CONTENT, "{:?}", joined.body);
}

async fn require_sso(server: &Server) {
    let body = json!({ "requires_sso": true }).to_string();
    let changed = call(server, &ann_of(server), Method::PATCH, ORGANIZATION, body).await;
    assert_eq!(changed.json()["data"]["requires_sso"], true, "{:?}", changed.body);
}

fn slugs(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let list = answer.json()["data"].as_array().unwrap().clone();
    list.iter().map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn clients_that_wait_for_a_challenge_answer_it() {
    if has_no_curl() || is_absent("wget", is_program("wget")) {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (url, email, password) = (server.url("/auth/me"), server.key("email"), server.key("password"));
    let me = json!({ "data": { "type": "user", "email": email } });
    let command = format!("curl --anyauth -u '{email}:{password}' {url}");
    assert_eq!(curl(&command).await, (200, me.clone()));
    for (password, succeeds) in [(password, true), ("wrong", false)] {
        let mut wget = Command::new("wget");
        wget.args(["--quiet", "--output-document=-", "--tries=1", "--no-config"]);
        wget.args([&format!("--user={email}"), &format!("--password={password}"), &url]);
        let output = wget.output().await.unwrap();
        assert_eq!(output.status.success(), succeeds, "{output:?}");
        if succeeds {
            assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), me);
        }
    }
}

#[tokio::test]
async fn the_documented_commands_are_answered_as_documented() {
    if has_no_curl() {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let run = async |command: &str, variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
        let command =
            command.replace("https://api.memfault.com", &server.url("")).replace("<ORG_SLUG>", "acme-inc");
        curl(&format!("{}{command}", variables.concat())).await
    };
    let by_bearer = "curl -H \"Authorization: Bearer $ORGANIZATION_AUTH_TOKEN\" https://api.memfault.com/api/v0/organizations/<ORG_SLUG>/projects";
    let by_empty_user = "curl -u \":$ORGANIZATION_AUTH_TOKEN\" https://api.memfault.com/api/v0/organizations/<ORG_SLUG>/projects";
    let of_user = "curl -u \"$USER_EMAIL:$USER_API_KEY\" https://api.memfault.com/api/v0/organizations";
    let of_project = "curl --header \"Memfault-Project-Key: $YOUR_PROJECT_KEY\" https://api.memfault.com/api/v0/upload -d '{\"kind\": \"COREDUMP\", \"size\": 4}'";

    let projects = json!({ "data": [{ "slug": "smart-sink" }] });
    for command in [by_bearer, by_empty_user] {
        let token = ("ORGANIZATION_AUTH_TOKEN", server.key("organization_token"));
        assert_eq!(run(command, &[token]).await, (200, projects.clone()), "{command}");
        for wrong in ["", "oat_unknown", server.key("user_key")] {
            assert_eq!(run(command, &[("ORGANIZATION_AUTH_TOKEN", wrong)]).await.0, 401, "{command}");
        }
        let other = ("ORGANIZATION_AUTH_TOKEN", server.key("other_organization_token"));
        assert_eq!(run(command, &[other]).await.0, 403, "{command}");
    }
    let email = ("USER_EMAIL", server.key("email"));
    for secret in [server.key("user_key"), server.key("password")] {
        let (status, body) = run(of_user, &[email, ("USER_API_KEY", secret)]).await;
        assert_eq!((status, body["data"].as_array().unwrap().len()), (200, 2), "{body}");
    }
    assert_eq!(run(of_user, &[email, ("USER_API_KEY", "unknown")]).await.0, 401);
    assert_eq!(run(of_user, &[]).await.0, 401);
    assert_eq!(run(of_project, &[("YOUR_PROJECT_KEY", server.key("project_key"))]).await.0, 200);
    assert_eq!(run(of_project, &[]).await.0, 401);
}

#[tokio::test]
async fn the_credentials_of_the_first_start_work_after_the_next() {
    let folder = tempdir().unwrap();
    let first = Server::start("memfault", folder.path()).await;
    let credentials = [token_of(&first), ann_of(&first), basic(first.key("email"), first.key("password"))];
    let device = project_key(first.key("project_key"));
    let secrets: Vec<_> =
        ["organization_token", "user_key", "password"].map(|name| first.key(name).to_owned()).into();
    first.end().await.assert_clean(&secrets);

    let second = Server::start("memfault", folder.path()).await;
    assert!(second.credentials().values().all(|shown| !secrets.contains(shown)));
    for credential in &credentials {
        assert_eq!(get(&second, credential, PROJECT).await.status, StatusCode::OK);
    }
    let chunk = call(&second, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_log_names_keys_by_their_ids_and_shows_none() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memfault", folder.path(), &[("RUST_LOG", "trace")]).await;
    let names = ["organization_token", "user_key", "password", "project_key", "other_organization_token"];
    let mut secrets: Vec<_> = names.map(|name| server.key(name).to_owned()).into();
    for secret in &secrets {
        for credential in
            [bearer(secret), basic("", secret), basic(server.key("email"), secret), project_key(secret)]
        {
            get(&server, &credential, PROJECT).await;
            call(&server, &credential, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
        }
    }
    secrets.push(user_key(&server, &ann_of(&server)).await);
    let wanted = json!({ "kind": "MAR", "size": 1 });
    let announced = post(&server, &token_of(&server), &format!("{PROJECT}/upload"), &wanted).await.json();
    let announced = announced["data"]["upload_url"].as_str().unwrap().to_owned();
    let path = &announced[server.url("").len()..];
    secrets.push(path.rsplit('/').next().unwrap().to_owned());
    with_headers(&server, &[], Method::PUT, path, "1").await;

    let end = server.end().await;
    end.assert_clean(&secrets);
    for event in [
        "admitted key_id=key_",
        "rejected reason=\"wrong_source\" key_id=key_",
        "rejected reason=\"unknown\"",
    ] {
        assert!(end.stderr.contains(event), "{event}\n{}", end.stderr);
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let folder = tempdir().unwrap();
    let end = run_in_vain("memfault", folder.path(), "UPLOAD_SECONDS", "soon").await;
    assert!(!end.status.success());
    assert!(end.stderr.contains("Error: UPLOAD_SECONDS must be "), "{}", end.stderr);
}
