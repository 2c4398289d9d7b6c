//! Errors of invalid fields.

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::tempdir;

use super::{KEYS, assert_invalid, assert_rejected, call, data};
use crate::client::ask;
use crate::server::Server;

#[tokio::test]
async fn all_invalid_fields_are_named_at_once_without_their_values() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let wanted = json!({ "name": "", "environment": "staging", "scopes": ["a b"], "expires_in_days": 0, "secret": "a" });
    let answer = call(&server, server.key("admin_key"), Method::POST, KEYS, &wanted).await;
    assert_eq!(
        assert_rejected(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        json!({
            "field": "name",
            "errors": [
                { "field": "name", "message": "expected a text of 1 to 255 characters, not blank and without control characters, found something else" },
                { "field": "scopes", "message": "expected a list of at least one scope, found something else" },
                { "field": "environment", "message": "expected live or test, found something else" },
                { "field": "expires_in_days", "message": "expected a whole number from 1 to 36500, or null, found something else" },
                { "field": "body", "message": "expected no other fields, found 1" },
            ],
        })
    );
    let answer = ask(Method::POST, &server.url("/v1/signup"), None, "{}").await;
    assert_eq!(
        assert_rejected(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        json!({
            "field": "name",
            "errors": [
                { "field": "name", "message": "expected a text of 1 to 255 characters, not blank and without control characters, found nothing" },
                { "field": "email", "message": "expected an e-mail such as ann@example.com, found nothing" },
            ],
        })
    );
}

#[tokio::test]
async fn a_name_of_blanks_is_rejected() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    for name in ["  ", "\u{a0}", "\u{2003}\u{3000}"] {
        let wanted = json!({ "name": name, "email": "you@example.com" });
        let answer =
            call(&server, server.key("admin_key"), Method::POST, KEYS, &json!({ "name": name })).await;
        assert_invalid(&answer, "name");
        let answer = ask(Method::POST, &server.url("/v1/signup"), None, &wanted.to_string()).await;
        assert_invalid(&answer, "name");
    }
}

#[tokio::test]
async fn a_field_that_stands_twice_is_rejected_and_within_metadata_the_last_one_counts() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (url, key) = (server.url("/v1/memories"), server.key("admin_key"));
    let twice = r#"{"text": "a", "metadata": {}, "metadata": {"by": "b"}}"#;
    assert_invalid(&ask(Method::POST, &url, Some(key), twice).await, "body");
    let within = r#"{"text": "a", "metadata": {"by": "a", "by": "b"}}"#;
    let made = data(&ask(Method::POST, &url, Some(key), within).await, StatusCode::CREATED);
    assert_eq!(made["metadata"], json!({ "by": "b" }));
}
