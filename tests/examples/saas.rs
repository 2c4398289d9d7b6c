//! A product with a login of its own: members with a session manage the keys of their organization.

use http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::{Answer, get, request, send};
use crate::held::Held;
use crate::server::Server;

const KEYS: &str = "/account/api-keys/keys";

/// Calls with headers.
async fn call(server: &Server, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = request(method, &server.url(path), None);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    send(request.body(Full::new(body.to_owned().into())).unwrap()).await
}

/// Signs a member in, and returns the cookie.
async fn sign_in(server: &Server, member: &str) -> String {
    let answer = call(server, Method::POST, "/login", &[], server.key(member)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn by_session(server: &Server, cookie: &str, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    call(server, method, path, &[("cookie", cookie)], &body).await
}

fn wanted() -> Value {
    json!({ "name": "CI", "scopes": ["notes.read"] })
}

#[tokio::test]
async fn a_member_creates_a_key_that_a_program_uses_until_it_is_revoked() {
    let folder = tempdir().unwrap();
    let server = Server::start("saas", folder.path()).await;
    let ann = sign_in(&server, "ann").await;
    let created = by_session(&server, &ann, Method::POST, KEYS, &wanted()).await;
    assert_eq!(
        (created.status, &created.headers["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().unwrap())
    );
    let created = created.json();
    assert_eq!(
        (&created["created_by"], &created["owner"]["organization"]),
        (&json!("user:ann"), &json!("acme"))
    );

    let key = created["key"].as_str().unwrap();
    let notes = get(&server.url("/api/notes"), Some(key)).await;
    assert_eq!((notes.status, &*notes.body), (StatusCode::OK, &b"notes of organization acme\n"[..]));
    // A key is no session.
    assert_eq!(get(&server.url(KEYS), Some(key)).await.status, StatusCode::UNAUTHORIZED);

    let path = format!("{KEYS}/{}", created["id"].as_str().unwrap());
    let revoked = by_session(&server, &ann, Method::DELETE, &path, &Value::Null).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&server.url("/api/notes"), Some(key)).await.status, StatusCode::UNAUTHORIZED);
    let (credentials, end) = (server.credentials().clone(), server.end().await);
    end.assert_clean(credentials.values().chain([&key.to_owned()]));
}

#[tokio::test]
async fn members_have_the_rights_of_their_role_in_their_organization() {
    let folder = tempdir().unwrap();
    let server = Server::start("saas", folder.path()).await;
    let ann = sign_in(&server, "ann").await;
    let created = by_session(&server, &ann, Method::POST, KEYS, &wanted()).await.json();
    let path = format!("{KEYS}/{}", created["id"].as_str().unwrap());
    // No key manages keys.
    let manages = json!({ "name": "CI", "scopes": ["keys.write"] });
    let beyond = by_session(&server, &ann, Method::POST, KEYS, &manages).await;
    assert_eq!(
        (beyond.status, &beyond.json()["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("scopes"))
    );

    let bob = sign_in(&server, "bob").await;
    assert_eq!(by_session(&server, &bob, Method::GET, &path, &Value::Null).await.status, StatusCode::OK);
    let refused = by_session(&server, &bob, Method::POST, KEYS, &wanted()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json(), json!({ "detail": "Insufficient scope" }));

    let eve = sign_in(&server, "eve").await;
    for method in [Method::GET, Method::DELETE] {
        let answer = by_session(&server, &eve, method, &path, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let listed = by_session(&server, &eve, Method::GET, KEYS, &Value::Null).await.json();
    assert_eq!(listed["keys"], json!([]));
}

#[tokio::test]
async fn a_member_who_signs_out_while_the_body_arrives_changes_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start("saas", folder.path()).await;
    let ann = sign_in(&server, "ann").await;
    let held = Held::begin(&server, Method::POST, KEYS, ("cookie", &ann), &wanted().to_string()).await;
    let signed_out = by_session(&server, &ann, Method::POST, "/logout", &Value::Null).await;
    assert_eq!(signed_out.status, StatusCode::NO_CONTENT);
    assert_eq!(held.end().await.status, StatusCode::UNAUTHORIZED);

    let refused = by_session(&server, &ann, Method::GET, KEYS, &Value::Null).await;
    assert_eq!(
        (refused.status, &refused.headers["cache-control"]),
        (StatusCode::UNAUTHORIZED, &"no-store".parse().unwrap())
    );
    assert_eq!(call(&server, Method::POST, KEYS, &[], "").await.status, StatusCode::UNAUTHORIZED);
    let ann = sign_in(&server, "ann").await;
    let listed = by_session(&server, &ann, Method::GET, KEYS, &Value::Null).await.json();
    assert_eq!(listed["keys"], json!([]));
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start("saas", folder.path()).await;
    let ann = sign_in(&server, "ann").await;
    for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example")] {
        let answer =
            call(&server, Method::POST, KEYS, &[("cookie", &ann), foreign], r#"{"name":"CI"}"#).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{foreign:?}");
    }
    let own = [("cookie", &*ann), ("sec-fetch-site", "same-origin")];
    assert_eq!(call(&server, Method::POST, KEYS, &own, r#"{"name":"CI"}"#).await.status, StatusCode::CREATED);
}
