//! The access of each credential.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    Credential, ORGANIZATION, OTHER, OTHER_PROJECT, PROJECT, ann_of, assert_error, basic, bearer, call, get,
    post, project_key, require_sso, slugs, token_of,
};
use crate::server::Server;

async fn may_read(server: &Server, credential: &Credential, path: &str) -> u16 {
    let answer = get(server, credential, path).await;
    if answer.status != StatusCode::OK {
        assert_error(&answer, answer.status.as_u16());
    }
    answer.status.as_u16()
}

#[tokio::test]
async fn an_organization_token_reaches_every_project_of_its_organization_and_no_other_organization() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let projects = format!("{ORGANIZATION}/projects");
    assert_eq!(
        post(&server, &ann_of(&server), &projects, &json!({ "slug": "smart-lamp" })).await.status,
        StatusCode::CREATED
    );
    let token = server.key("organization_token");
    // The older form has an empty user.
    for token in [bearer(token), basic("", token)] {
        assert_eq!(slugs(&get(&server, &token, "/api/v0/organizations").await), ["acme-inc"]);
        assert_eq!(slugs(&get(&server, &token, &projects).await), ["smart-lamp", "smart-sink"]);
        assert_eq!(may_read(&server, &token, PROJECT).await, 200);
        assert_eq!(may_read(&server, &token, &format!("{projects}/smart-lamp")).await, 200);
        for path in [OTHER, OTHER_PROJECT, &format!("{OTHER}/projects"), &format!("{OTHER_PROJECT}/api_key")]
        {
            assert_eq!(may_read(&server, &token, path).await, 403, "{path}");
        }
    }
    let other = bearer(server.key("other_organization_token"));
    assert_eq!(may_read(&server, &other, OTHER_PROJECT).await, 200);
    assert_eq!(may_read(&server, &other, PROJECT).await, 403);
}

#[tokio::test]
async fn an_unknown_organization_is_rejected_like_an_inaccessible_one() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for credential in [token_of(&server), bearer(server.key("other_organization_token"))] {
        let other = if credential == token_of(&server) { OTHER } else { ORGANIZATION };
        let out_of_reach = get(&server, &credential, other).await;
        for unknown in ["unknown", "ACME-INC", "%FF", "'--", "acme-inc%2Fprojects"] {
            let answer = get(&server, &credential, &format!("/api/v0/organizations/{unknown}")).await;
            assert_error(&answer, 403);
            assert_eq!(answer.body, out_of_reach.body, "{unknown}");
        }
    }
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for credential in [token_of(&server), ann_of(&server)] {
        for unknown in ["unknown", "SMART-SINK", "'--", "smart-sink%00"] {
            let project = format!("{ORGANIZATION}/projects/{unknown}");
            for path in ["", "/api_key", "/deployments", "/files", "/files/file_1"] {
                assert_eq!(
                    may_read(&server, &credential, &format!("{project}{path}")).await,
                    404,
                    "{unknown}"
                );
            }
            for path in ["/api_key", "/upload", "/symbols", "/deployments"] {
                let body = json!({ "kind": "MAR", "size": 1 });
                let answer = post(&server, &credential, &format!("{project}{path}"), &body).await;
                assert_error(&answer, 404);
            }
        }
        for path in ["/elsewhere", "/api/v0/elsewhere", "/api/v0/organizations/acme-inc/elsewhere"] {
            assert_eq!(may_read(&server, &credential, path).await, 404, "{path}");
        }
        assert_error(&call(&server, &credential, Method::DELETE, PROJECT, "").await, 405);
    }
}

#[tokio::test]
async fn a_person_reaches_every_organization_that_the_person_belongs_to() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for secret in ["user_key", "password"] {
        let ann = basic(server.key("email"), server.key(secret));
        assert_eq!(slugs(&get(&server, &ann, "/api/v0/organizations").await), ["acme-inc", "globex"]);
        for path in [PROJECT, OTHER_PROJECT] {
            assert_eq!(may_read(&server, &ann, path).await, 200, "{path}");
        }
        assert_eq!(may_read(&server, &ann, "/api/v0/organizations/initech").await, 403);
        let me = get(&server, &ann, "/auth/me").await.json();
        assert_eq!(me, json!({ "data": { "type": "user", "email": "ann@example.com" } }));
    }
}

#[tokio::test]
async fn all_callers_but_devices_get_their_identity() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let me = get(&server, &token_of(&server), "/auth/me").await.json();
    assert_eq!(me, json!({ "data": { "type": "organization_token", "organization": "acme-inc" } }));
    assert_eq!(may_read(&server, &project_key(server.key("project_key")), "/auth/me").await, 403);
}

#[tokio::test]
async fn a_project_key_reaches_one_project_and_is_for_ingestion_alone() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let device = project_key(server.key("project_key"));
    for path in ["/api/v0/organizations", ORGANIZATION, PROJECT, OTHER_PROJECT, "/auth/me", "/auth/api_key"] {
        assert_eq!(may_read(&server, &device, path).await, 403, "{path}");
    }
    for path in
        ["/upload", "/coredumps", "/symbols", "/releases/ota_payload", "/mar", "/deployments", "/api_key"]
    {
        assert_error(&post(&server, &device, &format!("{PROJECT}{path}"), &Value::Null).await, 403);
    }
    let chunk = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);

    let files = async |project: &str| {
        let list = get(&server, &ann_of(&server), &format!("{project}/files")).await.json();
        list["data"].as_array().unwrap().clone()
    };
    let arrived = files(PROJECT).await;
    assert_eq!((arrived.len(), &arrived[0]["name"]), (1, &json!("device-1")));
    assert_eq!(files(OTHER_PROJECT).await, Vec::<Value>::new());
}

#[tokio::test]
async fn only_devices_access_the_routes_of_devices() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for credential in [token_of(&server), ann_of(&server), basic("", server.key("organization_token"))] {
        for path in
            ["/api/v0/chunks/device-1", "/api/v0/upload", "/api/v0/upload/coredump", "/api/v0/upload/mar"]
        {
            assert_error(&post(&server, &credential, path, &json!({ "kind": "MAR", "size": 1 })).await, 401);
        }
    }
}

#[tokio::test]
async fn an_organization_that_requires_single_sign_on_is_reached_by_its_tokens_alone() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let people = ["user_key", "password"].map(|secret| basic(server.key("email"), server.key(secret)));
    for ann in &people {
        assert_eq!(may_read(&server, ann, PROJECT).await, 200);
    }
    require_sso(&server).await;
    for ann in &people {
        for path in [ORGANIZATION, PROJECT, &format!("{ORGANIZATION}/auth_tokens")] {
            let rejected = get(&server, ann, path).await;
            assert_error(&rejected, 403);
            assert_eq!(rejected.json()["error"]["message"], "This organization requires single sign-on");
        }
        // The other organization stays accessible, as do the routes about the person.
        assert_eq!(slugs(&get(&server, ann, "/api/v0/organizations").await), ["globex"]);
        assert_eq!(may_read(&server, ann, OTHER_PROJECT).await, 200);
        assert_eq!(may_read(&server, ann, "/auth/me").await, 200);
    }
    assert_eq!(may_read(&server, &token_of(&server), PROJECT).await, 200);
    let device = project_key(server.key("project_key"));
    let chunk = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);
}
