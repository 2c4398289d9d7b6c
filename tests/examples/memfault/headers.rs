//! Valid and invalid headers of credentials.

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::tempdir;

use super::{
    Credential, ORGANIZATION, PROJECT, ann_of, assert_error, basic, bearer, call, get, project_key, token_of,
    with_headers,
};
use crate::server::Server;

#[tokio::test]
async fn a_credential_of_one_kind_is_rejected_in_the_header_of_another() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (email, token) = (server.key("email"), server.key("organization_token"));
    for (what, wrong) in [
        ("a token with an e-mail", basic(email, token)),
        ("a token as a project key", project_key(token)),
        ("a user's key as Bearer", bearer(server.key("user_key"))),
        ("a user's key without the e-mail", basic("", server.key("user_key"))),
        ("a user's key as a project key", project_key(server.key("user_key"))),
        ("a password as Bearer", bearer(server.key("password"))),
        ("a password without the e-mail", basic("", server.key("password"))),
        ("a password as a project key", project_key(server.key("password"))),
        ("a project key as Bearer", bearer(server.key("project_key"))),
        ("a project key without a user", basic("", server.key("project_key"))),
        ("a project key with an e-mail", basic(email, server.key("project_key"))),
    ] {
        let answer = get(&server, &wrong, PROJECT).await;
        assert_error(&answer, 401);
        assert_eq!(answer.json()["error"]["message"], "Invalid API key", "{what}");
        let chunk = call(&server, &wrong, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
        assert_error(&chunk, 401);
    }
    assert_eq!(get(&server, &token_of(&server), PROJECT).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_e_mail_has_to_be_that_of_the_key_or_the_password() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    for secret in [server.key("user_key"), server.key("password")] {
        for email in ["bob@example.com", "ann@example.co", "ann", "ann@example.com ", "*", "%"] {
            assert_error(&get(&server, &basic(email, secret), "/auth/me").await, 401);
        }
        // Letters of an e-mail may be in either case.
        for email in ["ann@example.com", "Ann@Example.COM"] {
            assert_eq!(
                get(&server, &basic(email, secret), "/auth/me").await.status,
                StatusCode::OK,
                "{email}"
            );
        }
    }
}

#[tokio::test]
async fn a_missing_or_malformed_credential_gets_every_challenge() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let value = |text: &str| ("authorization", text.to_owned());
    for path in ["/auth/me", "/api/v0/organizations", PROJECT, "/elsewhere"] {
        let answer = with_headers(&server, &[], Method::GET, path, "").await;
        assert_error(&answer, 401);
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges.len(), 3, "one line for each scheme");
        assert!(challenges.iter().any(|line| line.to_str().unwrap().starts_with("Basic realm=\"memfault\"")));
        // Headers of clients whose variables are not set.
        for nonsense in ["Bearer ", "Bearer", "Basic Og==", "Basic", "", "Basic !", "Digest abc"] {
            assert_error(&get(&server, &value(nonsense), path).await, 401);
        }
        assert_error(&get(&server, &project_key(""), path).await, 401);
    }
}

#[tokio::test]
async fn a_password_may_hold_colons_and_any_letters() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let password = "a:b::ü,€ \u{1f511}";
    let old = basic(server.key("email"), server.key("password"));
    let body = json!({ "password": password }).to_string();
    let changed = call(&server, &old, Method::PUT, "/auth/password", body).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{:?}", changed.body);
    let ann = basic(server.key("email"), password);
    assert_eq!(get(&server, &ann, "/auth/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn people_present_one_credential_and_a_basic_header_beside_a_project_key_decides_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let device = project_key(server.key("project_key"));
    let others = [ann_of(&server), token_of(&server), basic("ann@example.com", "unknown"), basic("x", "y")];
    for other in others {
        let both: [Credential; 2] = [device.clone(), other.clone()];
        assert_error(&with_headers(&server, &both, Method::GET, PROJECT, "").await, 400);
        // A client that finds the host in `~/.netrc` sends both.
        let chunk = with_headers(&server, &both, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
        assert_eq!(chunk.status, StatusCode::ACCEPTED);
        let both = [project_key("unknown"), other];
        assert_error(
            &with_headers(&server, &both, Method::POST, "/api/v0/chunks/device-1", "chunk").await,
            401,
        );
    }
    let twice = [device.clone(), device];
    assert_error(&with_headers(&server, &twice, Method::POST, "/api/v0/chunks/device-1", "chunk").await, 400);
    let twice = [token_of(&server), ann_of(&server)];
    assert_error(&with_headers(&server, &twice, Method::GET, PROJECT, "").await, 400);
}

#[tokio::test]
async fn an_outage_of_the_store_is_no_bad_credential() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (token, ann) = (token_of(&server), ann_of(&server));
    let tokens = format!("{ORGANIZATION}/auth_tokens");
    assert_eq!(get(&server, &ann, &tokens).await.status, StatusCode::OK);

    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("ALTER TABLE tower_api_key RENAME TO hidden").execute(&database).await.unwrap();
    let device = project_key(server.key("project_key"));
    let password = basic(server.key("email"), server.key("password"));
    for (method, path, credential) in [
        // These are not cached yet; the last one is, but its resource is not.
        (Method::GET, PROJECT, &token),
        (Method::GET, PROJECT, &password),
        (Method::POST, "/api/v0/chunks/device-1", &device),
        (Method::GET, &tokens, &ann),
    ] {
        let answer = call(&server, credential, method, path, "chunk").await;
        assert_error(&answer, 503);
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
    }
    sqlx::query("ALTER TABLE hidden RENAME TO tower_api_key").execute(&database).await.unwrap();
    database.close().await;
    let chunk = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "chunk").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);
}
