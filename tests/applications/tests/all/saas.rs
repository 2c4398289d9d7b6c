//! The axum service: sign-up, notes, keys, usage, limits, errors, CORS and the OpenAPI document.

use std::path::Path;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::openapi::Security;
use tower_api_key::{AuthenticateLayer, MemoryStore};

use crate::server::Server;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// Asserts that it is an error in the shape of the service.
    #[track_caller]
    fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.body["error"]["code"]), (status, &json!(code)), "{}", self.body);
        assert!(self.body["error"]["message"].is_string(), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
    }
}

async fn start(folder: &Path, rate: &str) -> Server {
    Server::start(env!("CARGO_BIN_EXE_saas"), folder, &[("RATE", rate)]).await
}

async fn call(server: &Server, key: &str, method: Method, path: &str, body: Value) -> Answer {
    let mut request =
        Client::new().request(method, server.url("http", path)).header("origin", "https://app.example.com");
    if !key.is_empty() {
        request = request.bearer_auth(key);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
}

async fn get(server: &Server, key: &str, path: &str) -> Answer {
    call(server, key, Method::GET, path, Value::Null).await
}

async fn post(server: &Server, key: &str, path: &str, body: Value) -> Answer {
    call(server, key, Method::POST, path, body).await
}

/// Signs up, and returns the answer and the text of the key.
async fn sign_up(server: &Server, name: &str) -> (Value, String) {
    let form = json!({ "name": name, "email": format!("ann@{name}.example") });
    let answer = post(server, "", "/v1/signup", form).await;
    assert_eq!(
        (answer.status, &answer.headers["cache-control"]),
        (201, &"no-store".parse().unwrap()),
        "{}",
        answer.body
    );
    let key = answer.body["key"].as_str().unwrap().to_owned();
    (answer.body, key)
}

#[tokio::test]
async fn who_signs_up_has_notes_of_its_own() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "60").await;
    let (acme, key) = sign_up(&server, "acme").await;
    let (_, other) = sign_up(&server, "other").await;

    let note = json!({ "text": "hello", "by": acme["key_id"] });
    let added = post(&server, &key, "/v1/notes", json!({ "text": "hello" })).await;
    assert_eq!((added.status, &added.body), (201, &note));
    assert_eq!(get(&server, &key, "/v1/notes").await.body, json!([note]));
    assert_eq!(get(&server, &other, "/v1/notes").await.body, json!([]));

    let answer = get(&server, "", "/v1/notes").await;
    answer.assert_error(401, "missing_key");
    assert!(answer.headers.contains_key("www-authenticate"));
    assert_eq!(
        answer.headers["access-control-allow-origin"], "https://app.example.com",
        "a page can read it"
    );
    get(&server, "saas_live_unknown", "/v1/notes").await.assert_error(401, "invalid_key");
    let too_long = json!({ "name": "x".repeat(10_000), "email": "ann@acme.example" });
    let answer = post(&server, "", "/v1/signup", too_long).await;
    answer.assert_error(422, "key_management");
}

#[tokio::test]
async fn customers_manage_their_keys() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "60").await;
    let (acme, admin) = sign_up(&server, "acme").await;
    let (_, other) = sign_up(&server, "other").await;

    let wanted = json!({ "name": "reader", "scopes": ["notes.read"] });
    let created = post(&server, &admin, "/v1/account/keys", wanted).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let (reader, id) = (created.body["key"].as_str().unwrap(), created.body["id"].as_str().unwrap());
    let own = format!("/v1/account/keys/{id}");

    assert_eq!(get(&server, reader, "/v1/notes").await.status, 200);
    let answer = post(&server, reader, "/v1/notes", json!({ "text": "hello" })).await;
    answer.assert_error(403, "insufficient_scope");
    get(&server, reader, &own).await.assert_error(403, "insufficient_scope");
    get(&server, &other, &own).await.assert_error(404, "key_management");
    get(&server, "", &own).await.assert_error(401, "missing_key");
    post(&server, &admin, "/v1/account/keys", json!({ "name": 7 })).await.assert_error(422, "key_management");
    let listed = get(&server, &admin, "/v1/account/keys").await.body;
    let ids: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&acme["key_id"], &json!(id)]);

    assert_eq!(call(&server, &admin, Method::DELETE, &own, Value::Null).await.status, 204);
    get(&server, reader, "/v1/notes").await.assert_error(401, "invalid_key");
}

#[tokio::test]
async fn requests_are_counted_for_each_key_across_restarts() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "60").await;
    let (acme, key) = sign_up(&server, "acme").await;
    for _ in 0..3 {
        assert_eq!(get(&server, &key, "/v1/notes").await.status, 200);
    }
    server.terminate().await;

    let server = start(folder.path(), "60").await;
    let path = format!("/v1/account/keys/{}/usage", acme["key_id"].as_str().unwrap());
    let usage = get(&server, &key, &path).await.body;
    assert_eq!(usage["usage"][0]["requests"], 3, "{usage}");
}

#[tokio::test]
async fn a_key_is_limited_without_its_neighbours() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "2").await;
    let (_, key) = sign_up(&server, "acme").await;
    let (_, other) = sign_up(&server, "other").await;
    let leaked = post(&server, &key, "/v1/account/keys", json!({ "name": "leaked" })).await.body;
    for _ in 0..2 {
        assert_eq!(get(&server, &key, "/v1/notes").await.status, 200);
    }
    get(&server, &key, "/v1/notes").await.assert_error(429, "rate_limited");
    // It can still manage keys: an attacker that uses up the limit keeps no leaked one.
    let path = format!("/v1/account/keys/{}", leaked["id"].as_str().unwrap());
    assert_eq!(call(&server, &key, Method::DELETE, &path, Value::Null).await.status, 204);
    get(&server, leaked["key"].as_str().unwrap(), "/v1/notes").await.assert_error(401, "invalid_key");
    get(&server, "unknown", "/v1/notes").await.assert_error(401, "invalid_key");
    assert_eq!(get(&server, &other, "/v1/notes").await.status, 200);
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "60").await;
    let preflight = Client::new()
        .request(Method::OPTIONS, server.url("http", "/v1/notes"))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-headers"], "authorization,content-type");
}

#[tokio::test]
async fn one_document_describes_notes_and_keys() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), "60").await;
    let document = get(&server, "", "/openapi.json").await.body;

    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in
        ["/v1/notes", "/v1/signup", "/v1/account/keys", "/v1/account/keys/{id}/rotate", "/v1/account/usage"]
    {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    assert_eq!(document["security"], json!([{ "bearer": [] }, { "apiKey": [] }]));
    assert_eq!(document["paths"]["/v1/signup"]["post"]["security"], json!([{}]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");

    let mut secured = document.clone();
    Security::of(&AuthenticateLayer::new(MemoryStore::new())).describe(&mut secured).unwrap();
    assert_eq!(
        secured["paths"]["/v1/notes"]["post"]["security"],
        json!([{ "bearer": [] }, { "apiKey": [] }])
    );
    assert_eq!(secured["paths"]["/v1/signup"]["post"]["security"], json!([{}]));

    // utoipa has read the document of the crate, of which no reference leads to nowhere.
    let ours: Value = serde_json::from_str(tower_api_key::manage::OPENAPI).unwrap();
    for (path, item) in ours["paths"].as_object().unwrap() {
        let found = document["paths"][&format!("/v1/account{path}")].as_object().unwrap();
        assert!(item.as_object().unwrap().keys().all(|method| found.contains_key(method)), "{path}");
    }
    // It knows no headers that are always present, nor members that no schema names, and writes no `null`.
    let lost = ["/required", "/unevaluatedProperties", "/expires_at/default"];
    let read = serde_json::from_value::<utoipa::openapi::OpenApi>(ours.clone()).unwrap();
    for path in missing("", &ours, &serde_json::to_value(read).unwrap()) {
        assert!(lost.iter().any(|lost| path.ends_with(lost)), "{path}");
        assert!(!path.ends_with("/required") || path.contains("/headers/"), "{path}");
    }
    let text = document.to_string();
    for (at, _) in text.match_indices("\"#/") {
        let pointer = text[at + 2..].split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// Returns where `found` lacks or changes a part of `wanted`.
fn missing(path: &str, wanted: &Value, found: &Value) -> Vec<String> {
    let below = |name: &str, wanted: &Value, found: Option<&Value>| match found {
        Some(found) => missing(&format!("{path}/{name}"), wanted, found),
        None => vec![format!("{path}/{name}")],
    };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().flat_map(|(name, wanted)| below(name, wanted, found.get(name))).collect()
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let each = wanted.iter().zip(found).enumerate();
            each.flat_map(|(index, (wanted, found))| below(&index.to_string(), wanted, Some(found))).collect()
        }
        _ if wanted == found => Vec::new(),
        _ => vec![path.to_owned()],
    }
}
