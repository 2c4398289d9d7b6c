//! axum and SQLite.

use http::StatusCode;
use serde_json::json;
use tempfile::tempdir;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::digest::Digester;
use tower_api_key::key::KeyFormat;
use tower_api_key::{Environment, KeyId, Owner, Record, SqliteStore};

use crate::client::{get, post, request, send};
use crate::server::{Server, run_in_vain};

#[tokio::test]
async fn a_valid_key_gets_its_identity() {
    let folder = tempdir().unwrap();
    let server = Server::start("notes", folder.path()).await;

    for (name, key_id, scopes) in [
        ("reader_key", "key_notes_reader", json!(["notes.read"])),
        ("writer_key", "key_notes_writer", json!(["notes.read", "notes.write"])),
    ] {
        let answer = get(&server.url("/v1/whoami"), Some(server.key(name))).await;
        assert_eq!(answer.status, StatusCode::OK);
        let whoami = json!({ "key_id": key_id, "owner": "organization acme", "environment": "live", "scopes": scopes });
        assert_eq!(answer.json(), whoami);
    }
}

#[tokio::test]
async fn only_a_valid_key_is_admitted() {
    let folder = tempdir().unwrap();
    let server = Server::start("notes", folder.path()).await;
    let unauthorized = StatusCode::UNAUTHORIZED;

    for path in ["/v1/whoami", "/v1/notes"] {
        get(&server.url(path), None).await.assert_rejected(unauthorized, "Missing API key");
        for key in [server.key("expired_key"), "demo_live_unknown", &server.key("reader_key")[1..]] {
            get(&server.url(path), Some(key)).await.assert_rejected(unauthorized, "Invalid API key");
        }
    }
    assert_eq!(get(&server.url("/health"), None).await.status, StatusCode::OK);
    assert_eq!(get(&server.url("/elsewhere"), None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_note_that_the_writer_adds_can_be_read_and_the_reader_adds_none() {
    let folder = tempdir().unwrap();
    let server = Server::start("notes", folder.path()).await;
    let (url, reader, writer) = (server.url("/v1/notes"), server.key("reader_key"), server.key("writer_key"));
    let hello = r#"{"text":"hello"}"#;
    let note = json!({ "text": "hello", "key_id": "key_notes_writer" });

    post(&url, Some(reader), hello).await.assert_rejected(StatusCode::FORBIDDEN, "Insufficient scope");
    assert_eq!(get(&url, Some(reader)).await.json(), json!([]));

    let answer = post(&url, Some(writer), hello).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::CREATED, note.clone()));
    assert_eq!(get(&url, Some(reader)).await.json(), json!([note]));

    let put = request(http::Method::PUT, &url, Some(reader)).body(Default::default()).unwrap();
    assert_eq!(send(put).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_note_that_is_broken_or_too_long_is_the_fault_of_its_writer() {
    let folder = tempdir().unwrap();
    let server = Server::start("notes", folder.path()).await;
    let (url, writer) = (server.url("/v1/notes"), server.key("writer_key"));

    for (body, status) in [
        ("{\"text\":", StatusCode::BAD_REQUEST),
        ("{\"title\":\"hello\"}", StatusCode::UNPROCESSABLE_ENTITY),
        (&format!("{{\"text\":\"{}\"}}", "x".repeat(20_000)), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(post(&url, Some(writer), body.to_owned()).await.status, status);
    }
    assert_eq!(get(&url, Some(writer)).await.json(), json!([]));
}

#[tokio::test]
async fn keys_outlive_the_process_and_are_shown_once() {
    let folder = tempdir().unwrap();
    let first = Server::start("notes", folder.path()).await;
    let keys = first.credentials().clone();
    assert_eq!(get(&first.url("/v1/whoami"), Some(&keys["reader_key"])).await.status, StatusCode::OK);
    get(&first.url("/v1/whoami"), Some(&keys["expired_key"])).await;
    let end = first.end().await;
    end.assert_clean(keys.values());
    assert!(end.stderr.contains("keys.db"));
    assert!(end.stderr.contains("admitted key_id=key_notes_reader"), "{}", end.stderr);
    assert!(end.stderr.contains("rejected reason=\"expired\" key_id=key_notes_expired"), "{}", end.stderr);

    let second = Server::start("notes", folder.path()).await;
    assert!(second.credentials().is_empty());
    for (name, status) in [
        ("reader_key", StatusCode::OK),
        ("writer_key", StatusCode::OK),
        ("expired_key", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(get(&second.url("/v1/whoami"), Some(&keys[name])).await.status, status, "{name}");
    }
    second.end().await.assert_clean(keys.values());
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_made_up_for() {
    let folder = tempdir().unwrap();
    let store =
        SqliteStore::open(&format!("sqlite:{}", folder.path().join("keys.db").display())).await.unwrap();
    let key = KeyFormat::new("demo").unwrap().mint(Environment::Live).unwrap();
    let id = KeyId::new("key_notes_reader").unwrap();
    let change = KeyChange::insert(Record::new(id, &key, &Digester::sha256(), Owner::organization("acme")));
    store.change(change).await.unwrap();
    store.close().await;

    let server = Server::start("notes", folder.path()).await;
    let mut made: Vec<_> = server.credentials().keys().collect();
    made.sort();
    assert_eq!(made, ["expired_key", "writer_key"]);
    for key in [server.key("writer_key"), key.reveal().as_str()] {
        assert_eq!(get(&server.url("/v1/whoami"), Some(key)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_a_password_in_it_is_not_shown() {
    let folder = tempdir().unwrap();
    for (variable, value) in [
        ("ADDR", "nowhere"),
        ("DATABASE_URL", "postgres://user:hunter2@localhost/keys"),
        ("DATABASE_URL", "sqlite:no/such/folder/keys.db"),
        ("RUST_LOG", "tower_api_key=loud"),
    ] {
        let end = run_in_vain("notes", folder.path(), variable, value).await;
        assert!(!end.status.success());
        assert_eq!(end.stdout, "");
        assert!(end.stderr.contains(&format!("Error: {variable}")), "{}", end.stderr);
        assert!(!end.stderr.contains("panicked") && !end.stderr.contains("hunter2"), "{}", end.stderr);
    }
}
