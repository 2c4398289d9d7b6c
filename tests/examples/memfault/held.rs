//! Callers that lose rights while their bodies arrive: the rights at the time of the change decide.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::backend::{BackendErrorKind, OwnerChange, OwnerStore};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::password::Passwords;
use tower_api_key::record::Revocation;
use tower_api_key::{Owner, Scopes, SqliteStore, Timestamp};

use super::{
    BOB, Credential, ORGANIZATION, PROJECT, add_bob, ann_of, assert_error, basic, bearer, call, get, join,
    post, project_key, slugs, user_key, with_headers,
};
use crate::held::Held;
use crate::server::Server;

async fn hold(server: &Server, credential: &Credential, method: Method, path: &str, body: &Value) -> Held {
    Held::begin(server, method, path, (credential.0, &credential.1), &body.to_string()).await
}

/// The data of the organization, as its admin sees it.
async fn state(server: &Server) -> Vec<Value> {
    let mut state = Vec::new();
    for path in ["", "/auth_tokens", "/projects"] {
        state.push(get(server, &ann_of(server), &format!("{ORGANIZATION}{path}")).await.json());
    }
    state
}

/// The uploads and deployments of the project.
async fn kept(server: &Server) -> Vec<Value> {
    let mut kept = Vec::new();
    for path in ["files", "deployments"] {
        kept.push(get(server, &ann_of(server), &format!("{PROJECT}/{path}")).await.json()["data"].clone());
    }
    kept
}

/// The changes of an admin that have a body.
fn changes() -> Vec<(Method, String, Value)> {
    vec![
        (Method::POST, format!("{ORGANIZATION}/auth_tokens"), json!({ "description": "mine" })),
        (Method::POST, format!("{ORGANIZATION}/projects"), json!({ "slug": "mine" })),
        (Method::PUT, format!("{ORGANIZATION}/members/{}", BOB.0), json!({ "role": "admin" })),
        (Method::PUT, format!("{ORGANIZATION}/members/carl@example.com"), json!({ "role": "admin" })),
        (Method::PATCH, ORGANIZATION.to_owned(), json!({ "requires_sso": true })),
    ]
}

async fn hold_changes(server: &Server, credential: &Credential) -> Vec<Held> {
    let mut held = Vec::new();
    for (method, path, body) in changes() {
        held.push(hold(server, credential, method, &path, &body).await);
    }
    held
}

async fn are_rejected(held: Vec<Held>) {
    for held in held {
        assert_error(&held.end().await, 403);
    }
}

#[tokio::test]
async fn a_former_password_sets_no_other_one() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let email = server.key("email");
    let [former, own, stolen] =
        [server.key("password"), "the owner's own", "the thief's own"].map(|password| basic(email, password));
    let set = |password: &str| json!({ "password": password });

    let held = hold(&server, &former, Method::PUT, "/auth/password", &set("the thief's own")).await;
    let changed =
        call(&server, &former, Method::PUT, "/auth/password", set("the owner's own").to_string()).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
    assert_error(&held.end().await, 403);

    assert_eq!(get(&server, &own, "/auth/me").await.status, StatusCode::OK);
    for rejected in [&former, &stolen] {
        assert_error(&get(&server, rejected, "/auth/me").await, 401);
    }
}

#[tokio::test]
async fn a_former_admin_changes_nothing() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "admin").await;
    let password = basic(BOB.0, BOB.1);
    let key = basic(BOB.0, &user_key(&server, &password).await);
    let before = state(&server).await;

    for bob in [&password, &key] {
        join(&server, BOB.0, "admin").await;
        let held = hold_changes(&server, bob).await;
        join(&server, BOB.0, "project_manager").await;
        are_rejected(held).await;

        join(&server, BOB.0, "admin").await;
        let held = hold_changes(&server, bob).await;
        let member = format!("{ORGANIZATION}/members/{}", BOB.0);
        let removed = call(&server, &ann_of(&server), Method::DELETE, &member, "").await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        are_rejected(held).await;
        assert_eq!(slugs(&get(&server, bob, "/api/v0/organizations").await), [""; 0]);
    }

    assert_eq!(state(&server).await, before);
    let carl = format!("{ORGANIZATION}/members/carl@example.com");
    assert_error(&call(&server, &ann_of(&server), Method::DELETE, &carl, "").await, 404);
}

#[tokio::test]
async fn an_admin_whose_key_was_deleted_changes_nothing() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    join(&server, BOB.0, "admin").await;
    let key = basic(BOB.0, &user_key(&server, &basic(BOB.0, BOB.1)).await);
    let before = state(&server).await;

    let held = hold_changes(&server, &key).await;
    let deleted = call(&server, &key, Method::DELETE, "/auth/api_key", "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    are_rejected(held).await;
    assert_eq!(state(&server).await, before);
}

/// Reassigns the address of a person to another admin, in another process than the server.
async fn give_away(folder: &std::path::Path, email: &str, is_purged: bool) {
    let store = SqliteStore::open(&format!("sqlite:{}", folder.join("keys.db").display())).await.unwrap();
    let revocation = Revocation::new(Timestamp::from_unix_millis(0), "left");
    store.change_owner(OwnerChange::delete_user(email, revocation)).await.unwrap();
    if is_purged {
        store.change_owner(OwnerChange::purge_owner(&Owner::user(email, []))).await.unwrap();
        store.change_owner(OwnerChange::put_user(email)).await.unwrap();
        let hash = Passwords::new().unwrap().hash("of another person").await.unwrap();
        store.change_owner(OwnerChange::set_password(email, Some(hash))).await.unwrap();
        let all = Scopes::parse("project.* organization.*").unwrap();
        let membership = Membership::new(Organization::new("acme-inc"), "admin", all);
        store.change_owner(OwnerChange::put_membership(email, membership)).await.unwrap();
    } else {
        assert_eq!(
            store.change_owner(OwnerChange::put_user(email)).await.unwrap_err().kind(),
            BackendErrorKind::Conflict
        );
    }
    store.close().await;
}

#[tokio::test]
async fn a_former_person_does_not_act_as_the_next_with_the_same_address() {
    for is_purged in [false, true] {
        let folder = tempdir().unwrap();
        add_bob(folder.path()).await;
        let server = Server::start("memfault", folder.path()).await;
        join(&server, BOB.0, "admin").await;
        let password = basic(BOB.0, BOB.1);
        let key = basic(BOB.0, &user_key(&server, &password).await);
        let before = state(&server).await;

        let held = [hold_changes(&server, &password).await, hold_changes(&server, &key).await];
        give_away(folder.path(), BOB.0, is_purged).await;
        for held in held {
            are_rejected(held).await;
        }
        assert_eq!(state(&server).await, before);
        if !is_purged {
            let member = format!("{ORGANIZATION}/members/{}", BOB.0);
            let body = json!({ "role": "developer" }).to_string();
            assert_error(&call(&server, &ann_of(&server), Method::PUT, &member, body).await, 409);
        }
    }
}

/// The requests with a body whose data is kept in memory: an announcement, a deployment, a chunk, and the completion of an upload.
async fn hold_upload(server: &Server, credential: &Credential) -> Vec<Held> {
    let prepare = json!({ "kind": "MAR", "size": 1 });
    let announced = post(server, credential, &format!("{PROJECT}/upload"), &prepare).await.json();
    let put = announced["data"]["upload_url"].as_str().unwrap().strip_prefix(&server.url("")).unwrap();
    assert_eq!(with_headers(server, &[], Method::PUT, put, "1").await.status, StatusCode::OK);
    let finish = json!({ "file": { "token": announced["data"]["token"], "name": "file.bin" } });
    vec![
        hold(server, credential, Method::POST, &format!("{PROJECT}/upload"), &prepare).await,
        hold(server, credential, Method::POST, &format!("{PROJECT}/mar"), &finish).await,
    ]
}

async fn hold_deployment(server: &Server, credential: &Credential) -> Held {
    let deployment = json!({ "type": "normal", "release": "6.6.6", "cohort": "default" });
    hold(server, credential, Method::POST, &format!("{PROJECT}/deployments"), &deployment).await
}

#[tokio::test]
async fn a_token_that_was_deleted_uploads_and_deploys_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let tokens = format!("{ORGANIZATION}/auth_tokens");
    let made = post(&server, &ann_of(&server), &tokens, &json!({ "description": "CI" })).await.json();
    let token = bearer(made["data"]["token"].as_str().unwrap());

    let mut held = hold_upload(&server, &token).await;
    held.push(hold_deployment(&server, &token).await);
    // A file in transit to the URL that the token received.
    let announcement = json!({ "kind": "MAR", "size": 6 });
    let announced = post(&server, &token, &format!("{PROJECT}/upload"), &announcement).await.json();
    let put = announced["data"]["upload_url"].as_str().unwrap().strip_prefix(&server.url("")).unwrap();
    held.push(hold(&server, &("accept", "*/*".to_owned()), Method::PUT, put, &json!("file")).await);
    let path = format!("{tokens}/{}", made["data"]["id"].as_str().unwrap());
    let deleted = call(&server, &ann_of(&server), Method::DELETE, &path, "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    for held in held {
        let rejected = held.end().await;
        assert_error(&rejected, 401);
        assert_eq!(rejected.headers["cache-control"], "no-store");
        assert!(rejected.headers.contains_key("www-authenticate"), "{:?}", rejected.headers);
    }
    assert_eq!(kept(&server).await, [json!([]), json!([])]);
}

#[tokio::test]
async fn a_member_with_another_role_has_the_rights_of_that_role() {
    let folder = tempdir().unwrap();
    add_bob(folder.path()).await;
    let server = Server::start("memfault", folder.path()).await;
    let bob = basic(BOB.0, BOB.1);

    join(&server, BOB.0, "project_manager").await;
    let (deployment, uploads) = (hold_deployment(&server, &bob).await, hold_upload(&server, &bob).await);
    join(&server, BOB.0, "developer").await;
    assert_error(&deployment.end().await, 403);
    for (held, status) in uploads.into_iter().zip([StatusCode::OK, StatusCode::CREATED]) {
        assert_eq!(held.end().await.status, status);
    }

    let uploads = hold_upload(&server, &bob).await;
    let member = format!("{ORGANIZATION}/members/{}", BOB.0);
    call(&server, &ann_of(&server), Method::DELETE, &member, "").await;
    are_rejected(uploads).await;
    let kept = kept(&server).await;
    assert_eq!((kept[0].as_array().unwrap().len(), &kept[1]), (1, &json!([])));
}

#[tokio::test]
async fn a_device_whose_key_was_cycled_leaves_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let device = project_key(server.key("project_key"));
    let announcement = json!({ "kind": "MAR", "size": 1 });
    let announced = post(&server, &device, "/api/v0/upload", &announcement).await.json();
    let put = announced["data"]["upload_url"].as_str().unwrap().strip_prefix(&server.url("")).unwrap();

    let held = [
        hold(&server, &device, Method::POST, "/api/v0/chunks/device-1", &json!("a chunk")).await,
        hold(&server, &device, Method::POST, "/api/v0/upload", &announcement).await,
    ];
    let cycled = post(&server, &ann_of(&server), &format!("{PROJECT}/api_key"), &Value::Null).await;
    assert_eq!(cycled.status, StatusCode::CREATED);
    for held in held {
        assert_error(&held.end().await, 401);
    }
    // Its URL is no longer valid either.
    assert_error(&with_headers(&server, &[], Method::PUT, put, "1").await, 401);
    assert_eq!(kept(&server).await, [json!([]), json!([])]);
}

#[tokio::test]
async fn a_held_and_permitted_change_is_made() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let ann = ann_of(&server);
    let mut statuses = Vec::new();
    for held in hold_changes(&server, &ann).await {
        statuses.push(held.end().await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 204, 204, 200]);
}
